"""`headgate admin dlq` against SQS on moto: listed messages stay, redriven messages are in the landing queue."""

import json

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

from headgate.cli.main import headgate

GOOD = json.dumps({"Records": [{"s3": {"object": {"key": "landing/sales/a.jsonl"}}}]})


class Queues:
    def __init__(self, client, project):
        self.client, self.project = client, project
        self.landing = client.create_queue(QueueName="landing")["QueueUrl"]
        self.dead = client.create_queue(QueueName="dead")["QueueUrl"]

    def put(self, *bodies):
        for body in bodies:
            self.client.send_message(QueueUrl=self.dead, MessageBody=body)

    def count(self, url):
        name = "ApproximateNumberOfMessages"
        result = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(result[name]) + int(result["ApproximateNumberOfMessagesNotVisible"])

    def run(self, *arguments):
        variables = {
            "HEADGATE_AUTOMATION_QUEUE_URL": self.landing,
            "HEADGATE_AUTOMATION_DEAD_LETTER_QUEUE_URL": self.dead,
        }
        command = ["admin", "dlq", *arguments, "--project", str(self.project)]
        return CliRunner().invoke(headgate, command, env=variables, catch_exceptions=False)


@pytest.fixture
def queues(monkeypatch, tmp_path):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "conf" / "environments").mkdir(parents=True)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "conf" / "environments" / "local.yaml").write_text("lake: lake\n")
    with mock_aws():
        yield Queues(boto3.client("sqs"), tmp_path)


def test_a_list_shows_uploads_and_problems_and_leaves_the_messages(queues):
    queues.put(GOOD, "garbage")
    messages = json.loads(queues.run("list", "--json").output)["messages"]
    assert sorted((message["datasets"].get("sales", 0), bool(message["problem"])) for message in messages) == [
        (0, True),
        (1, False),
    ]
    assert queues.count(queues.dead) == 2


def test_redriven_messages_are_in_the_landing_queue_and_unreadable_ones_stay(queues):
    queues.put(*[GOOD] * 25, "garbage")
    assert queues.run("redrive").output == "25 moved, 1 kept because they are not S3 events\n"
    assert (queues.count(queues.landing), queues.count(queues.dead)) == (25, 1)


def test_a_dry_run_moves_nothing(queues):
    queues.put(GOOD)
    assert json.loads(queues.run("redrive", "--dry-run", "--json").output) == {"moved": 1, "kept": 0, "dry_run": True}
    assert (queues.count(queues.landing), queues.count(queues.dead)) == (0, 1)


def test_unreadable_messages_are_moved_if_asked(queues):
    queues.put("garbage")
    assert queues.run("redrive", "--unreadable").output.startswith("1 moved")
    assert queues.count(queues.landing) == 1


def test_an_environment_without_queues_says_what_to_set(queues):
    command = ["admin", "dlq", "list", "--project", str(queues.project)]
    with pytest.raises(Exception, match=r"set automation\.queue_url"):
        CliRunner().invoke(headgate, command, catch_exceptions=False)
