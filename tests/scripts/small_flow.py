"""A flow that reports the decorators of its steps, and the environment of its tasks.

With the command ``run``, prints the variable NASTY as the three steps see it, and the decorators.
If SHOW is set, prints the decorators, and the command that submits a task of the step *fit*.
"""

import json
import os
import shlex
import sys
import types

from metaflow import Config, FlowSpec, step
from metaflow.util import dict_to_cli_options

from skdistsearch.backends.metaflow.flow.search_flow import DecorateFit


def report(*values):
    sys.stdout.write(f"REPORT {json.dumps(values)}\n")


@DecorateFit
class SmallFlow(FlowSpec):
    settings = Config("settings")

    @step
    def start(self):
        self.before = os.environ.get("NASTY")
        self.parts = [0, 1]
        self.next(self.fit, foreach="parts")

    @step
    def fit(self):
        self.inside = os.environ.get("NASTY")
        self.decorators = decorators_by_step()
        self.next(self.join)

    @step
    def join(self, inputs):
        report(
            inputs[0].before,
            [task.inside for task in inputs],
            os.environ.get("NASTY"),
            inputs[0].decorators,
        )
        self.next(self.end)

    @step
    def end(self):
        pass


def decorators_by_step():
    flow = getattr(SmallFlow, "_flow_cls", SmallFlow)  # not wrapped in the launching process
    return {
        name: {each.name: each.attributes for each in getattr(flow, name).decorators}
        for name in ("start", "fit", "join", "end")
    }


def submit_command():
    args = types.SimpleNamespace(
        commands=[], command_args=[], command_options={}, entrypoint=["python"], env={}
    )
    for decorator in SmallFlow._flow_cls.fit.decorators:
        decorator.runtime_step_cli(args, 0, 3, None)
    return shlex.split(" ".join([*args.commands, *dict_to_cli_options(args.command_options)]))


if __name__ == "__main__":
    try:
        SmallFlow()
    finally:
        if "SHOW" in os.environ:
            report(decorators_by_step(), submit_command())
