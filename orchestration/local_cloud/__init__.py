"""A local stand-in for the AWS APIs that Headgate uses, in one process, on moto's server.

An EMR Serverless job run and an EMR step really start `spark-submit`. Start it with `headgate serve cloud`.
It imports neither pyspark nor headgate, and listens on the loopback interface only.

submission  which spark-submit command a job asks for
launcher    runs spark-submit processes and knows their states
packages    the files of a job, downloaded as EMR does it
serverless  EMR Serverless on the launcher
steps       EMR on EC2 steps on the launcher
faults      the fault switch
disk        objects that survive a restart
triggers    queue messages that invoke a handler, as AWS Lambda does
server      the WSGI application and its own pages below /_cloud
resources   the buckets, queues, topic and applications of a new cloud
"""
