"""What `rlgan evaluate` prints of text beside its numbers: tables."""

from rlgan.task import Result


def result_lines(result: Result) -> list[str]:
    """What `rlgan evaluate` prints of a text run beside its numbers: tables of the quality at each temperature."""
    if "quality" not in result:
        return []
    lines = [f"{name}: {text}" for name, text in result["quality_protocol"].items()]
    lines.append("Good is what is close to real text in all of them: each by itself can be had cheaply.")
    controls = result.get("controls", [])
    for entry in (result, *controls):
        title = f"{entry['run']}, step {entry['step']}{_perplexities(entry)}" if "step" in entry else entry["policy"]
        lines += _table(title, [*entry["quality"], result["quality_floor"]])
    for entry in controls:
        lines += _table(f"{result['run']} less {entry['run']}", entry["difference"])
    return lines


def _perplexities(entry: Result) -> str:
    """The perplexities that a table is of: the generator's, and that of softmax(f) where the discriminator has one."""
    implied = entry.get("implied_test_perplexity")
    said = "" if implied is None else f", D's implied {implied:.4g}"
    return f": test perplexity {entry['test_perplexity']:.4g}{said}"


def _table(title: str, columns: list[dict[str, float]]) -> list[str]:
    """Measures as rows; a column without a temperature is of real text."""
    heads = [f"T = {column['temperature']:g}" if "temperature" in column else "real text" for column in columns]
    lines = ["", title, f"{'':28}" + "".join(f"{head:>11}" for head in heads)]
    # A dict in place of a set keeps the measures in their order; columns do not all have the same ones.
    for name in dict.fromkeys(name for column in columns for name in column if name != "temperature"):
        cells = (f"{column[name]:.4g}" if name in column else "-" for column in columns)
        lines.append(f"  {name:26}" + "".join(f"{cell:>11}" for cell in cells))
    return lines
