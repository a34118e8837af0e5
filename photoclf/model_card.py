"""A release's model card: what it is for, what it was trained on, what it is worth, its limits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from photoclf.errors import RunError
from photoclf.run import Run

_METRICS = {"f1": "F1", "recall": "recall", "precision": "precision", "roc_auc": "AUC"}
_HURTS = 0.05  # of recall, above which a change is called out
_SHOWN = 0.01  # of a source's errors, below which it isn't listed by itself


def model_card(run: Run, release: Mapping[str, Any]) -> str:
    """Write the model card of a release.

    Args:
        run: The release's folder, with `config.json`, `provenance.json` and `model.json`.
        release: What `release.json` holds.

    Returns:
        Markdown.
    """
    config, facts, made = run.config, run.read_object("model.json"), run.provenance
    weights = made["weights"]
    test, left_out = release["test"], release["left_out"]
    parts = [
        "# Model card: photographs among an archive's images",
        f"Run `{release['run_id']}`, begun {made['started_at'][:10]}. `photoclf predict DIR` uses"
        " it when no other run is named or chosen.",
        "## What it is for",
        "Telling photographs from everything else (paintings, sketches, schematics, pages of text)"
        " among digitised images, before a person looks at what is doubtful. It gives P(photo) of"
        " an image. It isn't for telling who or what is on an image, for proving that a picture is"
        " a photograph, or for telling photographs from generated images, of which it saw none.",
        "## What it is",
        f"- {config.model} at {config.image_size} px, frozen; `{config.fit}` fills the square."
        f" {facts['parameters']:,} parameters, {facts['flops'] / 1e9:.2f} GFLOP an image,"
        f" weights kept as {facts['weights']}.",
        f"- Its ImageNet weights: {weights['source']}, SHA-256 `{weights['sha256']}`,"
        f" {weights['licence']}, trained on {weights['trained_on']}.",
        f"- Its head: a logistic regression ({_head_of(config)}) on {config.features} features of"
        f" each training image and of {config.pieces} pieces of it.",
        f"- Scores are divided by the temperature {release['temperature']:.3f} (least log-loss on"
        f" val); {release['threshold']:.3f} or more is a photograph, the threshold at which"
        " photographs and the hardest other kind err alike on left-out sources.",
        *_review(release.get("review")),
        f"- `model.tflite`, SHA-256 `{facts['sha256']}`; its scores are within"
        f" {facts['max_abs_difference']:.1g} of Keras's on {facts['images']} images, with the same"
        " decisions.",
        "## Data and licences",
        f"Made of {_count(run)} images (to fit the head, and a seventh or so of them to set its"
        " temperature) of an archive of public research data sets and"
        " repositories, most with no licence stated: the weights are for **research use**. No"
        " image is distributed. Which images they were is in `trained_on.txt` (the first digits of"
        " each file's SHA-256), so that none is evaluated on again.",
        "## On sources that it was trained on",
        f"The test side of split `{made['split_hash'][:8]}`: {test['images']:,} images,"
        f" {test['photos']:,} of them photographs, opened once for these figures.",
        _table(
            ("metric", "value", "95 % interval"),
            [
                (label, _number(test["metrics"][name]), _interval(test["intervals"].get(name)))
                for name, label in (*_METRICS.items(), ("ece", "ECE"))
            ],
        ),
        "## On sources that it never saw",
        "What to expect of a new client. The same recipe was trained anew on each split of a plan"
        " that leaves whole sources, and families of sources, out; the threshold of a split comes"
        " from the sources that aren't in it. **An unlucky new source can still hurt: read the"
        " worst split and the worst sources.** The recipe was chosen on these splits among some"
        " thirty, so that its figures are a little too good.",
        _splits(left_out["splits"]),
        _summary(left_out["summary"]),
        "Intervals: bootstrap over groups. F1 depends on the share of photographs: compare splits"
        " by AUC.",
        "### Beside it on the same splits",
        _beside(release["beside"]),
        "### Errors by source",
        _sources(left_out["sources"]),
        "## When images get worse",
        f"{release['stress'][0]['images']} test images, half of them photographs where there were"
        " enough, spoilt more and more; sources as in training.",
        _stress(release["stress"]),
        "## Limits",
        "- Paintings that look like photographs, and photographs of empty scenes, food or buildings"
        " in a style that training lacks, are where it errs.\n"
        "- Few photographs in training are larger than 1,000 px or older than colour film.\n"
        f"{_fragile(release['stress'])}"
        "- Printed halftones, negatives, and photographs of paintings were rare or absent.\n"
        "- P(photo) is calibrated for archives like the training one; on a new source it may be off"
        " by as much as the worst ECE above.",
        "## Training it again",
        f"```\nphotoclf release --workspace … --archive … {_options(config)}\n```\n"
        "The workspace needs a split and a plan (`photoclf split`, `photoclf split --plan"
        " --families …`). The optimum of the head depends on no seed; the same lock, processor"
        " features and number of threads give the same bits.",
        f"Commit `{(made['commit'] or 'unknown')[:12]}`"
        f"{' (with changes)' if made['dirty'] else ''}, lock `{(made['lock_hash'] or '')[:12]}`,"
        f" {made['cpu']['model']}, {made['threads']} threads.",
    ]
    return "\n\n".join(parts) + "\n"


def _fragile(rows: Sequence[Mapping[str, Any]]) -> str:
    whole = rows[0]["recall"]
    hurt = [
        f"{row['change']} {row['level']:g} ({whole - row['recall']:.0%} more missed)"
        for row in rows
        if row["recall"] is not None and whole - row["recall"] > _HURTS
    ]
    return (
        f"- Photographs are missed when images are spoilt by {', '.join(hurt)}.\n" if hurt else ""
    )


def left_out_tables(run: Run) -> tuple[str, ...]:
    """Return the card's tables of left-out sources: by split, over splits, beside it, by source.

    The model that is released was trained on all of the sources; these are the same recipe's
    figures on each split of the plan, trained without those that it is measured on.

    Args:
        run: The release.

    Returns:
        Markdown tables.

    Raises:
        RunError: If the run isn't a release.
    """
    release = run.release
    if release is None:
        raise RunError(
            f"Left-out sources are told by a release. Received: {run.run_id}, a run. Train it on"
            " each split of a plan, evaluate those, and: photoclf compare --plan."
        )
    found = release["left_out"]
    return (
        _splits(found["splits"]),
        _summary(found["summary"]),
        _beside(release["beside"]),
        _sources(found["sources"]),
    )


def _head_of(config: Any) -> str:
    told = "photographs and each other class folder" if config.target != "label" else "two classes"
    weight = ", classes and sources balanced" if config.balance == "source" else ""
    return f"{told}{weight}, C = {config.strength:g}"


def _options(config: Any) -> str:
    names = ("model", "image_size", "fit", "features", "target", "balance", "pieces", "strength")
    return " ".join(f"--{n.replace('_', '-')} {getattr(config, n)}" for n in names)


def _count(run: Run) -> str:
    text = run.need("trained_on.txt").read_text(encoding="ascii")
    return f"{len(text.split()):,}"


def _splits(splits: Iterable[Mapping[str, Any]]) -> str:
    header = ("left out", "photographs of images", *_METRICS.values(), "ECE")
    rows = []
    for split in splits:
        cells = [
            f"{_number(split['metrics'][name])} {_interval(split['intervals'].get(name))}"
            for name in _METRICS
        ]
        shown = ", ".join(split["sources"])
        rows.append(
            (
                shown,
                f"{split['photos']} of {split['images']}",
                *cells,
                _number(split["metrics"]["ece"]),
            )
        )
    return _table(header, rows)


def _summary(summary: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (label, _number(summary[name].get("mean")), _number(summary[name].get("worst")))
        for name, label in _METRICS.items()
    ]
    return _table(("over the splits", "mean", "worst"), rows)


def _beside(rows: Iterable[Mapping[str, Any]]) -> str:
    cells = [
        (
            row["config"],
            *(
                f"{_number(row[name]['mean'])} ± {_number(row[name]['margin'])}"
                f" / {_number(row[name]['worst'])}"
                for name in ("f1", "roc_auc")
            ),
            str(row["splits"]),
        )
        for row in rows
    ]
    told = (
        "F1 here at each run's own threshold (highest F1 on its val side). Mean with the 95 %"
        " margin that its splits' bootstrap intervals give, and worst split."
    )
    header = ("config", "F1 mean / worst", "AUC mean / worst", "splits")
    return f"{told}\n\n{_table(header, cells)}"


def _sources(sources: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"{row['class_folder']}/{row['source']}",
            "missed" if row["label"] else "called photographs",
            f"{row['errors']} of {row['images']}",
            f"{row['rate']:.1%} [{row['low']:.1%}, {row['high']:.1%}]",
        )
        for row in sources
        if row["rate"] >= _SHOWN
    ]
    others = sum(row["rate"] < _SHOWN for row in sources)
    told = f"Sources with errors under {_SHOWN:.0%}: {others} more."
    return f"{_table(('source', 'error', 'images', 'rate, exact 95 %'), rows)}\n\n{told}"


def _stress(rows: Iterable[Mapping[str, Any]]) -> str:
    cells = [
        (
            row["change"],
            f"{row['level']:g}",
            *(
                f"{_number(row[name])} {_interval((row[f'{name}_low'], row[f'{name}_high']))}"
                for name in ("recall", "precision")
            ),
        )
        for row in rows
    ]
    return _table(("change", "level", "recall", "precision"), cells)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(pair: Iterable[float | None] | None) -> str:
    low, high = pair or (None, None)
    return "" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(header)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _review(review: Mapping[str, Any] | None) -> list[str]:
    if review is None or review["promise"] is None:
        return []
    promise = review["promise"]
    return [
        f"- Scores from {review['low']:.3f} to under {review['high']:.3f} are left to a person"
        " (`review`), until it is evaluated on an archive of its user's own:"
        f" {review['reviewed']:.1%} of the {review['images']} val images. Of images like these, at"
        f" most {promise['missed']:.1%} of the photographs are missed unseen and at most"
        f" {promise['false']:.1%} of the others called one, with {promise['confidence']:.0%}"
        " confidence; on sources that it never saw this doesn't hold."
    ]
