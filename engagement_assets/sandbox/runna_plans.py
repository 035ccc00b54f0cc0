"""Plans, runners and workouts of the Runna sample: who should run what on which day.

Belongs here: the training schedule. Not here: how it was run, or the files (`runna_sample.py`).
"""

from dataclasses import dataclass
from datetime import date, timedelta

from engagement_assets.sandbox.sample_draws import SampleParameters, happens

METERS = {"KILOMETERS": 1000.0, "MILES": 1609.344}
UNIT_OF_VALUE = {"KILOMETERS": "KILOMETER", "MILES": "MILE"}
UNIT_ABBREVIATIONS = {"KILOMETERS": "km", "MILES": "mi"}
# A pace group is the estimated time over 5 km, in minutes. Runners in a group share workouts and pace targets, so a
# step's targets are a property of the workout.
PACE_GROUPS_MIN = (20, 25, 30, 35)
RUN_TYPES = ("INTERVALS", "TEMPO", "EASY_RUN", "LONG_RUN")  # Of a week, in this order.
SHARE_OF_RUNS_SKIPPED = 0.08


@dataclass(frozen=True)
class Plan:
    """A training plan: its length in weeks, and the long run of its first week in km."""

    plan_id: str
    weeks: int
    first_long_run_km: int


PLANS = (
    Plan("FIVE_K", 6, 5),
    Plan("TEN_K_V2", 8, 7),
    Plan("HILLY_HALF", 10, 9),
    Plan("MARATHON_FIRST", 16, 10),
)


@dataclass(frozen=True)
class Step:
    """A workout step: `length` in the workout's unit, the target pace and half its band in s per unit."""

    intensity: str
    length: float
    pace_s: int | None = None
    band_s: int = 0


@dataclass(frozen=True)
class Block:
    """Steps that are run `times` times in a row."""

    times: int
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Workout:
    """A planned workout; `workout_id` names everything that its steps depend on."""

    workout_id: str
    run_type: str
    unit: str
    blocks: tuple[Block, ...]

    @property
    def distance(self) -> float:
        """The planned distance in the workout's unit."""
        return round(sum(b.times * sum(s.length for s in b.steps) for b in self.blocks), 2)

    def flattened(self) -> list[tuple[int, Step]]:
        """The steps in the order in which they are run, each with its template index.

        A repeat has an index of its own after its steps, as on the watches.
        """
        steps: list[tuple[int, Step]] = []
        first = 0
        for block in self.blocks:
            steps += list(enumerate(block.steps, start=first)) * block.times
            first += len(block.steps) + (block.times > 1)
        return steps


@dataclass(frozen=True)
class Runner:
    """A user with one pace group, one unit, one device, four weekdays, and one plan after another."""

    number: int
    record_type: str
    unit: str
    pace_group_min: int
    first_plan: int
    first_monday: date
    last_week: int | None

    @property
    def user_id(self) -> str:
        """The id in the files."""
        return f"user-{self.number}"

    def plan_week(self, day: date) -> tuple[Plan, int] | None:
        """The plan and its week (from 1) on a day; None before, between and after plans."""
        week = (day - self.first_monday).days // 7
        if week < 0 or (self.last_week is not None and week > self.last_week):
            return None
        number = self.first_plan
        while week > PLANS[number].weeks:  # One week off follows each plan.
            week -= PLANS[number].weeks + 1
            number = (number + 1) % len(PLANS)
        plan = PLANS[number]
        return None if week == plan.weeks else (plan, week + 1)

    def workout(self, day: date) -> tuple[Plan, int, Workout] | None:
        """The plan, the week of the plan and the workout of a day; None on a rest day."""
        weekdays = [(self.number + shift) % 7 for shift in (0, 2, 4, 5)]
        current = self.plan_week(day)
        if current is None or day.weekday() not in weekdays:
            return None
        plan, week = current
        slot = sorted(weekdays).index(day.weekday())
        return plan, week, planned_workout(plan, week, slot, self.unit, self.pace_group_min)


def runners(parameters: SampleParameters) -> list[Runner]:
    """As many users as it takes for about the requested number of runs a day."""
    monday = parameters.start - timedelta(days=parameters.start.weekday())
    per_week = parameters.runna_activities_per_day * 7
    expected_share = 0.8 * (1 - SHARE_OF_RUNS_SKIPPED)  # Some plans begin later, and some runs are skipped.
    count = max(1, round(per_week / (len(RUN_TYPES) * expected_share)))
    found = []
    for number in range(1, count + 1):
        draw = parameters.stream("runna", "runner", str(number))
        found.append(
            Runner(
                number=number,
                record_type=draw.choices(("GARMIN", "PHONE", "APPLE_WATCH"), (60, 30, 10))[0],
                unit=draw.choices(("KILOMETERS", "MILES"), (75, 25))[0],
                pace_group_min=draw.choices(PACE_GROUPS_MIN, (15, 40, 30, 15))[0],
                first_plan=draw.randrange(len(PLANS)),
                first_monday=monday + timedelta(weeks=draw.randrange(-8, 4)),
                last_week=draw.randrange(4, 20) if happens(draw, 0.2) else None,
            )
        )
    return found


def planned_workout(plan: Plan, week: int, slot: int, unit: str, pace_group_min: int) -> Workout:
    """A workout of a plan's week; the four slots are intervals, tempo, easy run and long run."""
    run_type = RUN_TYPES[slot]
    suffix = f"{UNIT_ABBREVIATIONS[unit]}-{pace_group_min}min"
    five_km_pace = pace_group_min * 12  # In s/km.

    def paced(length: float, slower_by: int, band: int) -> Step:
        pace = round((five_km_pace + slower_by) * METERS[unit] / 1000)
        return Step("ACTIVE", length, pace, band)

    def around(*blocks: Block) -> tuple[Block, ...]:
        return (Block(1, (Step("WARMUP", 1),)), *blocks, Block(1, (Step("COOLDOWN", 1),)))

    if run_type == "INTERVALS":
        repeats = min(4 + week, 10)
        length = 0.4 if unit == "KILOMETERS" else 0.25
        steps = (paced(length, -10, 10), paced(length, 85, 15))
        slug = f"{repeats}x{round(length * METERS[unit])}m-Repeats-{suffix}"
        return Workout(slug, run_type, unit, around(Block(repeats, steps)))
    if run_type == "TEMPO":
        length = min(2 + week // 2, 7) if unit == "KILOMETERS" else min(1 + week // 2, 4)
        blocks = around(Block(1, (paced(1, 20, 10),) * length))
        return Workout(f"{length}{suffix}-Tempo", run_type, unit, blocks)
    if run_type == "EASY_RUN":
        length = 3 + week % 3 if unit == "KILOMETERS" else 2 + week % 3
        blocks = (Block(1, (Step("ACTIVE", length),)),)
        return Workout(f"{length}{suffix}-Easy-Run", run_type, unit, blocks)
    # Longer week by week, and shorter in every fourth week.
    long_run_km = min(plan.first_long_run_km + week - 1, 16) - (3 if week % 4 == 0 else 0)
    length = max(3, round(long_run_km * 1000 / METERS[unit]))
    blocks = (Block(1, (Step("ACTIVE", 1), *(paced(1, 70, 15),) * (length - 1))),)
    return Workout(f"{length}{suffix}-Long-Run", run_type, unit, blocks)
