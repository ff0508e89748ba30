"""A flow of which one step runs on AWS Batch."""

import os
import sys
import time

from metaflow import FlowSpec, Parameter, batch, step


class BatchFlow(FlowSpec):
    sleep_s = Parameter("sleep_s", default=0)

    @step
    def start(self):
        self.answer = 6
        self.next(self.fit)

    @batch(memory=100)
    @step
    def fit(self):
        self.answer *= 7
        self.seen = "AWS_BATCH_JOB_ID" in os.environ, os.environ.get("SECRET")
        time.sleep(self.sleep_s)
        self.next(self.end)

    @step
    def end(self):
        sys.stdout.write(" ".join(map(str, ["result", self.answer, *self.seen])) + "\n")


if __name__ == "__main__":
    BatchFlow()
