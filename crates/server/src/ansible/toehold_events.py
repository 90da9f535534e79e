"""Says what a run of ansible-playbook does: a line of JSON an event, into the file $TOEHOLD_EVENTS.

The events have the names and the shape of ansible-runner's.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: toehold_events
type: notification
short_description: says each event of a run as a line of JSON
description: Writes to the file that TOEHOLD_EVENTS names; without it, nothing.
"""

# What of a module's answer may be shown, and how much of it.
TOLD = ("msg", "stderr", "stdout", "module_stderr", "module_stdout", "rc")
MOST = 2000


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "toehold_events"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        path = os.environ.get("TOEHOLD_EVENTS")
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.disabled = self.file is None
        self.began = {}

    def say(self, event, **data):
        self.file.write(json.dumps({"event": event, "event_data": data}) + "\n")
        self.file.flush()

    def v2_playbook_on_start(self, playbook):
        self.say("playbook_on_start")

    def v2_playbook_on_play_start(self, play):
        share = play.max_fail_percentage
        self.say("playbook_on_play_start", name=play.get_name(), max_fail_percentage=share)

    def v2_playbook_on_no_hosts_matched(self):
        self.say("playbook_on_no_hosts_matched")

    def v2_playbook_on_no_hosts_remaining(self):
        self.say("playbook_on_no_hosts_remaining")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.say(
            "playbook_on_task_start",
            task=task.get_name().strip(),
            task_path=task.get_path(),
            any_errors_fatal=bool(task.any_errors_fatal),
        )

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_start(self, host, task):
        self.began[(host.get_name(), task._uuid)] = time.monotonic()
        self.say("runner_on_start", host=host.get_name(), task=task.get_name().strip())

    def v2_runner_on_ok(self, result):
        self.ended("runner_on_ok", result)

    def v2_runner_on_skipped(self, result):
        self.ended("runner_on_skipped", result)

    def v2_runner_on_unreachable(self, result):
        self.ended("runner_on_unreachable", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.ended("runner_on_failed", result, ignore_errors=bool(ignore_errors))

    def v2_playbook_on_stats(self, stats):
        kinds = ("processed", "ok", "changed", "failures", "dark")
        self.say("playbook_on_stats", **{kind: dict(getattr(stats, kind)) for kind in kinds})

    def ended(self, event, result, **more):
        host, task = result._host.get_name(), result._task
        began = self.began.pop((host, task._uuid), None)
        duration = 0.0 if began is None else time.monotonic() - began
        self.say(
            event,
            host=host,
            task=task.get_name().strip(),
            task_path=task.get_path(),
            duration=round(duration, 3),
            res=told(result._result, task.no_log),
            **more,
        )


def told(answer, is_secret):
    """What a module answered, as far as it may be shown."""
    shown = {"changed": bool(answer.get("changed"))}
    if is_secret or answer.get("_ansible_no_log"):
        shown["msg"] = "hidden by no_log"
        return shown
    for key in TOLD:
        value = answer.get(key)
        if isinstance(value, int):
            shown[key] = value
        elif value:
            shown[key] = str(value)[-MOST:]
    # A loop fails by its items: the first one that did says why.
    for item in answer.get("results") or []:
        if isinstance(item, dict) and item.get("failed"):
            shown["msg"] = str(item.get("msg") or item.get("stderr") or shown.get("msg"))[-MOST:]
            break
    return shown
