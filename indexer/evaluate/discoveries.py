"""Suite G: what a search says beyond a list of hits, and whether it may be believed.

Properties with intervals, discordant sources, verdicts, marked results, and redshifts read by the
frozen decoder.
"""

from indexer.evaluate.alarms import alarms
from indexer.evaluate.bench import Bench
from indexer.evaluate.discordance import discordance
from indexer.evaluate.feedback import feedback
from indexer.evaluate.intervals import intervals
from indexer.evaluate.readouts import readouts
from indexer.evaluate.records import Recorder, SuiteResult

__all__ = ["discoveries"]


def discoveries(bench: Bench) -> SuiteResult:
    """Score everything that is told beside the hits."""
    recorder = Recorder("discoveries", "G. What is said beside the hits", bench.seed)
    intervals(bench, recorder)
    discordance(bench, recorder)
    alarms(bench, recorder)
    feedback(bench, recorder)
    readouts(bench, recorder)
    return recorder.result()
