"""uWebSockets from Python: topics and publish."""

import sys

from socketify import App, CompressOptions, OpCode

_TOPIC = slice(12, 23)
"""Where `[null,null,"room:000000"` has it."""


def main(port: int) -> None:
    app = App()

    def message(client, text, opcode):
        if text[0] == "j":
            client.subscribe(text[1:])
            client.send("ok", OpCode.TEXT)
        elif text[1] == '"':
            client.send(text, OpCode.TEXT)
        else:
            app.publish(text[_TOPIC], text, OpCode.TEXT)

    app.ws(
        "/*",
        {
            "compression": CompressOptions.DISABLED,
            "max_payload_length": 1 << 20,
            "max_backpressure": 64 << 20,
            "idle_timeout": 0,
            "send_pings_automatically": False,
            "message": message,
        },
    )
    app.listen(port)
    app.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
