"""The function for Python's runtime client; README.md says what all of them do.

Hooks are registered in every way that there is: decorated and called, without arguments, with positional ones and
with named ones.
"""

import os

from snapshot_restore_py import register_after_restore, register_before_snapshot

invocations = 0


def log(*words):
    with open(os.environ["CLIENT_LOG"], "a") as file:
        file.write(" ".join(words) + "\n")


@register_before_snapshot
def before():
    log("before", "a")


register_before_snapshot(log, "before", "b")


@register_after_restore
def after(name="a"):
    log("after", name)


register_after_restore(after, name="b")


def handler(event, context):
    global invocations
    invocations += 1
    log("invoke", str(invocations))
    if event.get("big"):
        return "x" * (6 * 1024 * 1024 - 2)
    return event
