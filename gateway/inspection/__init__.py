"""What can be seen of a gateway while it works: answers, traces, measurements, log lines."""
