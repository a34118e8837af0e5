"""What a labels journal says: who labelled how many, whether people agree, what is a photograph."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from photoclf.finite_sample import hypergeometric_interval
from photoclf.intervals import exact_interval
from photoclf.label_journal import OTHER, PHOTO, RANDOM, UNSURE, WITHDRAWN, latest
from photoclf.manifest import POSITIVE_FOLDER

PEOPLE = ("who", "images", "photos", "others", "unsure", "withdrawn", "per_minute", "last")
PAIRS = ("one", "other", "images", "agreed", "kappa", "low", "high", "problem")
CONFLICTS = ("pathname", "sha256", "photo", "other")

# Who does nothing for longer than this was away: the pace is that of looking.
_PAUSE_S = 120.0
_DRAWS = 2000


@dataclass(frozen=True)
class RandomShare:
    """The share of photographs among images that were drawn at random, whatever a model says.

    Args:
        images: Drawn images that somebody decided about.
        photos: Photographs among them.
        undecided: Those that nobody is sure of, or that people contradict each other on.
        share: Of photographs among the others; NaN when there are none.
        low: The exact 95 % interval's end if every undecided image is none.
        high: Its other end if each of them is one.
        before: Images that whoever drew them had decided about already, in another queue. They are
            a part of the sample: without them it would lack what other queues show first.
    """

    images: int
    photos: int
    undecided: int
    share: float
    low: float
    high: float
    before: int = 0


def photo_or_not(labels: pd.Series, positive_folder: str = POSITIVE_FOLDER) -> pd.Series:
    """Turn a journal's labels into 1 (photo), 0 (anything else) or NA (nobody knows).

    Args:
        labels: `photo`, `other`, `unsure`, `withdrawn`, or names of class folders.
        positive_folder: The class folder that holds photographs.

    Returns:
        `Int64`, with the labels' index.
    """
    photo = labels.isin([PHOTO, positive_folder])
    return photo.astype("Int64").mask(labels.isin([UNSURE, WITHDRAWN]))


def named_folders(current: pd.DataFrame, positive_folder: str = POSITIVE_FOLDER) -> dict[str, str]:
    """Return the class folder that people named for a content, where all who named one agree.

    Args:
        current: A `schema.JOURNAL` frame of decisions that hold.
        positive_folder: The class folder that holds photographs; it isn't returned.

    Returns:
        SHA-256 → class folder.
    """
    plain = (PHOTO, OTHER, UNSURE, WITHDRAWN, positive_folder)
    named = current.loc[~current.label.isin(plain), ["sha256", "label"]].drop_duplicates()
    agreed = named[~named.sha256.duplicated(keep=False)]
    return dict(zip(agreed.sha256, agreed.label, strict=True))


def people_table(journal: pd.DataFrame, positive_folder: str = POSITIVE_FOLDER) -> pd.DataFrame:
    """Say who labelled how many images, and how fast.

    Args:
        journal: A `schema.JOURNAL` frame in the order of the decisions.
        positive_folder: See `photo_or_not`.

    Returns:
        One row a person, the busiest first: `images` that their decisions stand on, of these
        `photos`, `others` and `unsure`; `withdrawn` decisions; decisions `per_minute`, pauses of
        over two minutes left out (NaN for a single one); and when the `last` one was made.
    """
    rows = []
    for who, made in journal.groupby("who", sort=True):
        now = photo_or_not(latest(made).label, positive_folder)
        seconds = pd.to_datetime(made.when).sort_values().diff().dt.total_seconds()
        looking = seconds[seconds <= _PAUSE_S]
        spent = float(looking.sum())
        rows.append(
            {
                "who": who,
                "images": len(now),
                "photos": int((now == 1).sum()),
                "others": int((now == 0).sum()),
                "unsure": int(now.isna().sum()),
                "withdrawn": int((made.label == WITHDRAWN).sum()),
                "per_minute": 60 * len(looking) / spent if spent else np.nan,
                "last": made.when.max(),
            }
        )
    table = pd.DataFrame(rows, columns=list(PEOPLE))
    return table.sort_values(["images", "who"], ascending=[False, True], ignore_index=True)


def agreement_table(
    journal: pd.DataFrame, positive_folder: str = POSITIVE_FOLDER, *, seed: int = 42
) -> pd.DataFrame:
    """Measure by Cohen's kappa how far each two people agree beyond chance.

    What one of them is unsure of isn't counted.

    Args:
        journal: A `schema.JOURNAL` frame in the order of the decisions.
        positive_folder: See `photo_or_not`.
        seed: Of the bootstrap over images.

    Returns:
        One row a pair of people (`one`, `other`) who decided about some images both: `images`,
        `agreed`, `kappa` (1: always, 0: as often as by chance) with its 95 % interval `low` to
        `high`; where it isn't defined NaN and the `problem`.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    votes = _votes(journal, positive_folder)
    rows = []
    for one, other in combinations(votes.columns, 2):
        both = votes[[one, other]].dropna().astype("int64").to_numpy()
        if not len(both):
            continue
        cells = np.bincount(2 * both[:, 0] + both[:, 1], minlength=4)
        kappa, low, high = kappa_interval(cells, seed=seed)
        problem = ""
        if np.isnan(kappa):
            problem = "both gave one and the same label to all: chance alone would agree"
        rows.append((one, other, len(both), int(cells[0] + cells[3]), kappa, low, high, problem))
    return pd.DataFrame(rows, columns=list(PAIRS))


def kappa_interval(cells: np.ndarray, *, seed: int = 42) -> tuple[float, float, float]:
    """Return Cohen's kappa of a 2 × 2 table of images, with its 95 % interval.

    On each side the interval is the wider of two: the percentiles of a bootstrap over images, which
    are one point where two people always agree, and the exact interval of their disagreements over
    those that chance would make.

    Args:
        cells: How many images got (0, 0), (0, 1), (1, 0) and (1, 1), shape (4,).
        seed: Of the bootstrap.

    Returns:
        (kappa, low, high); NaN when chance alone would always agree.

    Example:
        >>> [round(k, 2) for k in kappa_interval(np.array([40, 5, 5, 50]))]
        [0.8, 0.65, 0.9]
    """
    n = int(cells.sum())
    kappa = float(_kappa(cells[None])[0]) if n else np.nan
    if np.isnan(kappa):
        return np.nan, np.nan, np.nan
    drawn = _kappa(np.random.default_rng(seed).multinomial(n, cells / n, size=_DRAWS))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    apart = int(cells[1] + cells[2])
    by_chance = _apart_by_chance(cells[None])[0]
    fewest, most = exact_interval(apart, n)
    low, high = min(low, 1 - most / by_chance), max(high, 1 - fewest / by_chance)
    return kappa, float(max(low, -1.0)), float(high)


def conflicts_table(journal: pd.DataFrame, positive_folder: str = POSITIVE_FOLDER) -> pd.DataFrame:
    """List the images on which people's latest decisions contradict each other.

    Returns:
        `pathname` (the last one it was seen under), `sha256`, and who says `photo` and who `other`,
        names separated by commas.
    """
    now = latest(journal)
    now = now.assign(value=photo_or_not(now.label, positive_folder)).dropna(subset="value")
    split = now.groupby("sha256").value.transform("nunique") > 1
    rows = []
    for sha256, votes in now[split].groupby("sha256", sort=False):
        said = [", ".join(sorted(votes.who[votes.value == value])) for value in (1, 0)]
        rows.append((votes.pathname.iloc[-1], sha256, *said))
    table = pd.DataFrame(rows, columns=list(CONFLICTS))
    return table.sort_values("pathname", ignore_index=True)


def random_share(
    journal: pd.DataFrame,
    positive_folder: str = POSITIVE_FOLDER,
    *,
    population: int | None = None,
) -> RandomShare:
    """Estimate the share of photographs from what was queued at random.

    It is unbiased when the queue was labelled from its start without leaving out what is hard:
    call that `unsure` instead of skipping it. What counts is what was drawn, whatever queue it was
    decided in; `label_session` writes a row for what is drawn and was decided before.

    Args:
        journal: A `schema.JOURNAL` frame in the order of the decisions.
        positive_folder: See `photo_or_not`.
        population: How many images the sample was drawn from; then the interval is that of a sample
            without replacement, which is shorter for large samples.

    Returns:
        The share; nothing is known (0 to 1) without a decision from a random queue.
    """
    drawn = set(journal.sha256[journal.source == RANDOM])
    votes = _votes(journal[journal.sha256.isin(drawn)], positive_folder, keep_unsure=True)
    photo, other = (votes == 1).any(axis=1), (votes == 0).any(axis=1)
    images, undecided = len(votes), int((photo == other).sum())
    photos = int((photo & ~other).sum())
    if not images:
        return RandomShare(0, 0, 0, np.nan, 0.0, 1.0)
    decided = images - undecided
    low, high = (
        _ends(count, images, population)[end]
        for end, count in ((0, photos), (1, photos + undecided))
    )
    share = photos / decided if decided else np.nan
    before = _decided_before(journal, set(votes.index))
    return RandomShare(images, photos, undecided, share, low, high, before)


def _decided_before(journal: pd.DataFrame, drawn: set[str]) -> int:
    """Count drawn contents that the person who drew them had decided about in another queue."""
    rows = journal[journal.sha256.isin(drawn)]
    by_person = ["who", "sha256"]
    drew = rows.loc[rows.source == RANDOM, by_person].drop_duplicates()
    first = rows.drop_duplicates(by_person).merge(drew, on=by_person)
    return int(first.sha256[first.source != RANDOM].nunique())


def _ends(photos: int, images: int, population: int | None) -> tuple[float, float]:
    if population is None:
        return exact_interval(photos, images)
    low, high = hypergeometric_interval(photos, images, max(population, images))
    return low / max(population, images), high / max(population, images)


def _votes(
    journal: pd.DataFrame, positive_folder: str, *, keep_unsure: bool = False
) -> pd.DataFrame:
    """Return what each person (column) says of each content (row): 1, 0, or NA."""
    now = latest(journal)
    now = now.assign(value=photo_or_not(now.label, positive_folder))
    if not keep_unsure:
        now = now.dropna(subset="value")
    return now.pivot_table(
        index="sha256", columns="who", values="value", aggfunc="first", dropna=False
    )


def _kappa(cells: np.ndarray) -> np.ndarray:
    n = cells.sum(axis=1)
    apart = (cells[:, 1] + cells[:, 2]) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(_apart_by_chance(cells) > 0, 1 - apart / _apart_by_chance(cells), np.nan)


def _apart_by_chance(cells: np.ndarray) -> np.ndarray:
    n = cells.sum(axis=1)
    first, second = (cells[:, 2] + cells[:, 3]) / n, (cells[:, 1] + cells[:, 3]) / n
    return first * (1 - second) + second * (1 - first)
