"""A peer at a Socket.IO relay: says on standard output what it hears, and sends what standard input says, as lines of JSON.

    socketio_peer.py URL TRANSPORT[,TRANSPORT] [TOKEN]
"""

import asyncio
import json
import sys

import socketio

client = socketio.AsyncClient(reconnection=False)


def say(what, value=None):
    print(json.dumps([what, value]), flush=True)


@client.event
async def connect():
    say("connect", client.transport())


@client.event
async def connect_error(data):
    say("connect_error", data if isinstance(data, dict) else str(data))


@client.event
async def disconnect(*reason):
    say("disconnect")


@client.on("signal")
async def on_signal(data):
    # Of a long text its length, so that the pipe does not fill.
    text = data.get("data", {}).get("sdp")
    say("signal", {"type": data["type"], "sdp_length": len(text)} if text and len(text) > 1000 else data)


@client.on("error")
async def on_error(data):
    say("error", data)


async def main(url, transports, token=None):
    auth = {"token": token} if token else None
    try:
        await client.connect(url, transports=transports.split(","), auth=auth)
    except socketio.exceptions.ConnectionError:
        return
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        message = json.loads(line)
        if message.pop("acknowledged", False):
            say("acknowledged", await client.call("signal", message))
        else:
            await client.emit("signal", message)
    await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
