"""Figure 5 of Yala & Song, from a run of our own."""

from collections.abc import Sequence

from rlgan.drawing import read_picture, save
from rlgan.images.figures import side_by_side
from rlgan.images.grids import cut, grid
from rlgan.task import FigureRequest, Snapshot

# After which figure 5 shows samples, and how many.
EPOCHS = (2, 5, 10, 17)
SHOWN = 24
COLUMNS = 4


def figure5(request: FigureRequest) -> list[str]:
    """The average picture, and pictures of the same noise after epochs 2, 5, 10 and 17, laid out as in the paper."""
    settings, snapshots = request.chosen, request.snapshots
    panels = {"the average picture": read_picture(snapshots[0].pictures["average_picture"])}
    for shown in shown_of(snapshots):
        made = cut(read_picture(shown.pictures["samples"]), settings.pictures.size)[:SHOWN]
        panels[f"after epoch {shown.epoch:g}\nrFID {shown.metrics['rfid']:.1f}"] = grid(made, COLUMNS)
    heading = f"Pictures that G makes of the same noise, preset {settings.preset}, seed {settings.seed}"
    save(side_by_side(heading, panels), request.out)
    last = snapshots[-1].metrics
    return [
        f"The average training picture, and {SHOWN} pictures that G makes of the same noise in each panel, as training "
        "goes on. Yala & Song, section 3, figure 5.",
        f"rFID is the Fréchet distance of random convolutions, no FID: {last['rfid_floor']:.1f} for other real "
        f"pictures, {last['rfid_mean_picture']:.1f} for the average picture.",
    ]


def shown_of(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Those after the paper's epochs, as far as the run has come, and the last where it ends elsewhere."""
    due = [next((each for each in snapshots if each.epoch >= epoch), None) for epoch in EPOCHS]
    found = {each.step: each for each in (*due, snapshots[-1]) if each is not None and each.step > 0}
    return list(found.values())
