"""Evidence -> Judgement. Pure: the same evidence gives the same verdict on any machine."""

from envcheck.judge.verdict import judge

__all__ = ["judge"]
