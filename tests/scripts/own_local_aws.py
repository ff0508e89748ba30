"""Start LocalAWS and a job, and sleep: a test kills this process.

The argument is the file to which the job writes its process ID.
"""

import sys
import time

from skdistsearch.testing._aws import LocalAWS

assert not {"moto", "boto3"} & set(sys.modules)

with LocalAWS() as aws:
    batch = aws.client("batch")
    command = ["sh", "-c", f"echo $$ >{sys.argv[1]}; sleep 60"]
    container = {"image": "any", "vcpus": 1, "memory": 9, "command": command}
    batch.register_job_definition(
        jobDefinitionName="d", type="container", containerProperties=container
    )
    batch.submit_job(jobName="sleeper", jobQueue=aws.queue, jobDefinition="d")
    time.sleep(60)
