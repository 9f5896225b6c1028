"""Train every kind of recipe for 20 steps and print the SHA-256 of the tensors that it ends with.

    scripts/tensor-hashes                          print the table as JSON
    scripts/tensor-hashes --check FILE             compare with a table; exit code 1 where a recipe ends otherwise
    scripts/tensor-hashes --only text-mle ...      these recipes alone
    scripts/tensor-hashes --checkout DIRECTORY     run the package of another checkout, with this one's recipes

A change that should not move any number (a restructuring) is checked by the table of the commit before it. Tables
of two machines differ where their CPUs or libraries do: make both on one machine.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

STEPS = 20
TEXT = "--length 10 --batch-size 8 --embedding-size 12 --hidden-size 12"
IMAGE = "image --faces 60 --size 16 --batch-size 8 --threads 1"
# Named by what is particular to them. Every method, estimator, rule, baseline, control and network comes once at least.
RECIPES = {
    **{
        f"text-{method}-{preset}": f"text --method {method} --preset {preset} {TEXT}"
        for method in ("mle", "policygan", "pretraingan", "mixedgan", "curriculum")
        for preset in ("paper", "best")
    },
    "text-plain": f"text --discriminator-form plain {TEXT}",
    "text-plain-reinforce": f"text --discriminator-form plain --estimator reinforce --lag 1 {TEXT}",
    "text-rollouts": f"text --rollouts 24 --lag 1 -k 2 --negatives both {TEXT}",
    "text-best-reinforce": f"text --estimator reinforce {TEXT}",
    "text-best-reinforce-lag": f"text --estimator reinforce --lag 1 -k 2 {TEXT}",
    "text-expected": f"text --weighting expected --reward log_odds --lambda 0.5 {TEXT}",
    "text-entropy": f"text --preset paper --entropy-bonus 0.1 --normalise-advantages {TEXT}",
    **{
        f"text-structured-{negatives}": f"text --discriminator-form structured --negatives {negatives} {TEXT}"
        for negatives in ("rollouts", "conditional", "both")
    },
    "text-structured-reinforce": f"text --discriminator-form structured --estimator reinforce --decay linear {TEXT}",
    "text-monte-carlo": f"text --preset paper --monte-carlo-rollouts 2 {TEXT}",
    "text-windows": f"text --layout windows {TEXT}",
    "text-cnn": f"text --generator cnn --discriminator cnn {TEXT}",
    "text-oracle": "text --data oracle --length 10 --batch-size 8 --embedding-size 12 --hidden-size 12",
    **{
        f"text-reward-{rule}": f"text --preset paper --reward {rule} {TEXT}"
        for rule in ("log_probability", "centred", "log_odds", "density_ratio", "token_ratio")
    },
    **{
        f"text-baseline-{baseline}": f"text --preset paper --baseline {baseline} {TEXT}"
        for baseline in ("others", "moving_average", "per_position", "learned")
    },
    **{
        f"text-control-{control}-{estimator}": f"text --estimator {estimator} --reward-control {control} {TEXT}"
        for control in ("constant", "shuffled", "random_discriminator")
        for estimator in ("reinforce", "all_tokens")
    },
    "gaussian-paper": "gaussian --preset paper",
    "gaussian-best": "gaussian --preset best",
    "gaussian-ring": "gaussian --target ring --batch-size 50",
    "gaussian-grid-paper": "gaussian --target grid --preset paper --batch-size 50",
    "gaussian-pretraining": "gaussian --preset paper --pretraining 8 --generator-steps 2 -k 2 --loss saturating",
    "gaussian-deviation": "gaussian --batch-features deviation --decay cosine --loss relativistic",
    "gaussian-packing": "gaussian --batch-features packing --r1 0.1 --r2 0.1",
    "image-paper": f"{IMAGE} --preset paper --generator-units 40 --units 12",
    "image-best": f"{IMAGE} --preset best --width 4",
    "image-float": f"{IMAGE} --preset best --width 4 --no-mixed-precision --loss non_saturating --no-flips",
}


def words_of(name: str, steps: int, run: Path) -> list[str]:
    """What is typed to train a recipe for some steps in one process."""
    words = ["train", *RECIPES[name].split(), "--workers", "0", "--steps", str(steps), "--seed", "3"]
    words += ["--evaluate-every", "1000", "--run-dir", str(run)]
    return [*words, "--cache", str(run.parent / "cache")] if name.startswith("image") else words


def tensors_of(name: str, folder: Path) -> str:
    """Train a recipe, and sum up the networks of its last checkpoint."""
    from rlgan.cli import main

    run = folder / name
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main(words_of(name, STEPS, run))
    return f"exit code {code}" if code else digest(run)


def digest(run: Path) -> str:
    """Sum up the networks of a run's last checkpoint."""
    last = max((run / "checkpoints").iterdir(), key=lambda folder: int(folder.name), default=run)
    files = sorted(last.glob("*.safetensors"))
    if not files:
        return "no checkpoint"
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Print or compare the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=RECIPES, metavar="RECIPE", default=list(RECIPES))
    parser.add_argument("--checkout", type=Path, metavar="DIRECTORY")
    options = parser.parse_args()
    if options.checkout:
        sys.path.insert(0, str(options.checkout.resolve()))
    with tempfile.TemporaryDirectory() as folder:
        table = {name: tensors_of(name, Path(folder)) for name in options.only}
    # What fails before a change and after it in the same way is not unchanged, but not known.
    failed = {name: why for name, why in table.items() if " " in why}
    for name, why in failed.items():
        print(f"{name}: {why}", file=sys.stderr)
    if options.check is None:
        print(json.dumps(table, indent=1))
        return 1 if failed else 0
    before = json.loads(options.check.read_text())
    moved = [name for name in table if table[name] != before.get(name)]
    for name in moved:
        print(f"{name}: {table[name][:16]}, in the table {str(before.get(name))[:16]}")
    print(f"{len(table) - len(moved)} of {len(table)} recipes end with the tensors of {options.check}")
    return 1 if moved or failed else 0


if __name__ == "__main__":
    sys.exit(main())
