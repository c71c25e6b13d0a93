"""How far a project is."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlite_utils import Database

from core.texts.annotation import Status
from db.experiments import Datasets, Evaluations, Runs
from db.images import Images, Pairs
from db.passages import Passages
from db.people import Day


@dataclass(frozen=True)
class Overview:
    """Counts of everything a home holds."""

    status: dict[Status, int]
    images: int
    pairs: int
    datasets: int
    runs: int
    evaluations: int

    @property
    def passages(self) -> int:
        """All passages that are not deleted."""
        return sum(self.status.values())


def read_overview(db: Database) -> Overview:
    """Count."""
    return Overview(
        status=Passages(db).status_counts(),
        images=Images(db).count(),
        pairs=Pairs(db).count(),
        datasets=len(Datasets(db).all()),
        runs=len(Runs(db).all()),
        evaluations=len(Evaluations(db).all()),
    )


def next_step(overview: Overview) -> tuple[str, str]:
    """What a person would do next, as a step's name and the page where it is done."""
    steps = (
        ("import", overview.passages == 0, "pages/texts/passages.py"),
        ("suggest", overview.status[Status.NEW] == overview.passages, "pages/texts/annotate.py"),
        ("approve", overview.status[Status.APPROVED] == 0, "pages/texts/review.py"),
        ("upload", overview.images == 0, "pages/images/collection.py"),
        ("pair", overview.pairs == 0, "pages/images/pairs.py"),
        ("build", overview.datasets == 0, "pages/model/dataset.py"),
        ("train", overview.runs == 0, "pages/model/train.py"),
        ("measure", overview.evaluations == 0, "pages/model/results.py"),
    )
    return next(((name, door) for name, open_, door in steps if open_), ("search", "pages/search/browse.py"))


PERSONS = 5
"""How many people a plot tells apart."""


def busiest(days: Iterable[Day], others: str, *, persons: int = PERSONS) -> list[Day]:
    """The days with all but the busiest persons under the one name ``others``, so that colours stay tellable."""
    days = list(days)
    revisions: Counter[str] = Counter()
    for day in days:
        revisions[day.who] += day.revisions
    named = {who for who, _ in revisions.most_common(persons)}
    together: dict[tuple[str, str], list[Day]] = defaultdict(list)
    for day in days:
        together[day.day, day.who if day.who in named else others].append(day)
    return [
        Day(day, who, sum(one.revisions for one in same), sum(one.approved for one in same))
        for (day, who), same in together.items()
    ]
