"""Claim, start, await, finish: what drives runs from the store to their end."""

from reprise.scheduler.scheduler import Scheduler, SchedulerSettings

__all__ = ["Scheduler", "SchedulerSettings"]
