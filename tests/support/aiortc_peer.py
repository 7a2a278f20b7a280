"""A WebRTC peer that is no browser: aiortc, which joins by the signaling of Selkies 2.1.0 as a stock page does.

    aiortc_peer.py ws://HOST:PORT/api/webrtc/signaling WIDTHxHEIGHT

What it sees it says on standard output, as lines of JSON; what standard input says it does: `["save", PATH]` writes the
next frame there as RGB, three bytes a pixel, and `["send", TEXT]` sends a text on the data channel for input.
"""

import asyncio
import json
import re
import sys

import aiohttp
import aioice.ice
from aiortc import RTCCertificate, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

# This machine's loopback is enough, and may be all that there is; aioice leaves it out.
aioice.ice.get_host_addresses = lambda *_, **__: ["127.0.0.1"]

# GStreamer 1.22 has an RSA certificate, and aiortc as the DTLS client takes none but ECDSA's.
CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
context_of = RTCCertificate._create_ssl_context


def context_with_rsa(certificate, srtp_profiles):
    context = context_of(certificate, srtp_profiles)
    context.set_cipher_list(CIPHERS)
    return context


RTCCertificate._create_ssl_context = context_with_rsa

# Candidates come one by one after the offer, and aiortc begins with those that it has: no more came for so long, in seconds.
QUIET = 0.5


def say(what, value=None):
    print(json.dumps([what, value]), flush=True)


class Peer:
    def __init__(self):
        self.pc = RTCPeerConnection()
        self.channel = None
        self.frame = None
        self.frames = 0
        self.came = asyncio.Condition()
        self.tasks = []
        self.pc.on("track", self.on_track)
        self.pc.on("datachannel", self.on_channel)
        self.pc.on("connectionstatechange", lambda: say("state", self.pc.connectionState))

    def on_track(self, track):
        say("track", track.kind)
        if track.kind == "video":
            self.tasks.append(asyncio.ensure_future(self.watch(track)))

    def on_channel(self, channel):
        say("channel", channel.label)
        if channel.label == "input":
            self.channel = channel
            channel.on("message", self.on_message)

    def on_message(self, message):
        # What kind it is, of 2.1.0's `{"type":…,"data":…}`; of anything else the beginning.
        try:
            say("message", json.loads(message)["type"])
        except (ValueError, TypeError, KeyError):
            say("text", str(message)[:200])

    async def watch(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                say("ended")
                return
            async with self.came:
                self.frame = frame
                self.frames += 1
                self.came.notify_all()
            if self.frames == 1 or self.frames % 30 == 0:
                say("frames", self.frames)

    async def answer(self, offer, lines):
        """Takes the offer and the candidates that follow it on `lines`; answers the answer."""
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        names = [line[len("a=mid:") :].strip() for line in offer.splitlines() if line.startswith("a=mid:")]
        known = 0
        while True:
            try:
                signal = await asyncio.wait_for(lines.get(), QUIET if known else None)
            except asyncio.TimeoutError:
                break
            if signal is None:
                break
            ice = signal.get("ice")
            if ice and ice["candidate"] and " tcp " not in ice["candidate"].lower():
                candidate = candidate_from_sdp(ice["candidate"].removeprefix("candidate:"))
                candidate.sdpMLineIndex = ice["sdpMLineIndex"]
                candidate.sdpMid = names[candidate.sdpMLineIndex]
                await self.pc.addIceCandidate(candidate)
                known += 1
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        answer = self.pc.localDescription.sdp
        say("codecs", re.findall(r"^a=rtpmap:\d+ ([^/]+)/", answer, re.MULTILINE))
        return answer

    async def save(self, path):
        async with self.came:
            before = self.frames
            try:
                await asyncio.wait_for(self.came.wait_for(lambda: self.frames > before), 1)
            except asyncio.TimeoutError:
                pass
            frame = self.frame
        if frame is None:
            say("saved")
            return
        plane = frame.reformat(format="rgb24").planes[0]
        data, wide = bytes(plane), frame.width * 3
        with open(path, "wb") as file:
            for row in range(frame.height):
                file.write(data[row * plane.line_size : row * plane.line_size + wide])
        say("saved", {"width": frame.width, "height": frame.height, "frames": self.frames})


async def hear(socket, lines):
    """What the server signals, without its name before it."""
    server = None
    async for message in socket:
        if message.type != aiohttp.WSMsgType.TEXT:
            break
        text = message.data
        if text == "HELLO":
            await socket.send_str("SESSION server")
        elif text.startswith("SESSION_OK "):
            server = text.split(" ")[1]
            say("session", server)
        elif server and text.startswith(f"{server} {{"):
            await lines.put(json.loads(text[len(server) + 1 :]))
        else:
            say("line", text[:200])
    say("closed", socket.close_code)
    await lines.put(None)


async def obey(peer):
    commands = asyncio.StreamReader(limit=1 << 16)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        what, value = json.loads(line)
        if what == "save":
            await peer.save(value)
        elif what == "send":
            peer.channel.send(value)


async def main(url, size):
    hello = {
        "client_type": "controller",
        "client_slot": -1,
        "client_strict_viewer": False,
        "display_id": "primary",
        "client_tab_id": "aiortc",
        "page_size": size,
    }
    peer, lines = Peer(), asyncio.Queue()
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_str(f"HELLO client {json.dumps(hello)}")
        peer.tasks.append(asyncio.ensure_future(hear(socket, lines)))
        commands = asyncio.ensure_future(obey(peer))
        while "sdp" not in (first := await lines.get() or {"sdp": None}):
            say("early", first)
        if first["sdp"] is not None:
            sdp = await peer.answer(first["sdp"]["sdp"], lines)
            answer = {"sdp": {"type": "answer", "sdp": sdp}}
            await socket.send_str(f"server {json.dumps(answer)}")
            await commands
    for task in peer.tasks:
        task.cancel()
    await peer.pc.close()


asyncio.run(main(*sys.argv[1:]))
