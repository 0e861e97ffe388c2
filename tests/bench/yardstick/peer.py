"""libwebrtc at home's place, for `make bench`: PyPI's wrtc behind a bare page, which is sent a camera's picture as H.264.

Called with the port, kbit/s at most, the file of libopenh264, and the camera: a command that writes Y4M. As at home, the camera
runs from the first visitor on. Prints `ready` when pages may come.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import webrtc
import wrtc
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.http11 import Response

port, most_kbps, library, *camera_command = sys.argv[1:]
page = (Path(__file__).parent / "viewer.html").read_bytes()
connections = set()
generator = None


def run_camera(loop, writer):
    """Hands each frame on as it comes; a frame that libwebrtc does not take yet holds the camera up."""
    video = subprocess.Popen(camera_command, stdout=subprocess.PIPE).stdout
    words = video.readline().split()
    width, height = (int(next(word[1:] for word in words if word.startswith(letter))) for letter in (b"W", b"H"))
    picture = bytearray(width * height * 3 // 2)
    while video.readline() and video.readinto(picture) == len(picture):
        form = webrtc.VideoFrameBufferInit(
            format="I420", coded_width=width, coded_height=height, timestamp=time.monotonic_ns() // 1000
        )

        async def write():
            await writer.write(webrtc.VideoFrame(picture, form))

        asyncio.run_coroutine_threadsafe(write(), loop).result()


def camera_track():
    global generator
    if generator is None:
        generator = webrtc.VideoTrackGenerator()
        work = (asyncio.get_running_loop(), generator.writable.get_writer())
        threading.Thread(target=run_camera, args=work, daemon=True).start()
    return generator.track


async def answer(connection, offer):
    sender = connection.add_track(camera_track())
    await connection.set_remote_description(webrtc.RTCSessionDescriptionInit(type="offer", sdp=offer))
    await connection.set_local_description(await connection.create_answer())
    parameters = sender.get_parameters()
    for encoding in parameters.encodings:
        encoding.max_bitrate = int(most_kbps) * 1000
    await sender.set_parameters(parameters)
    return connection.local_description.sdp


async def visit(socket):
    connection = webrtc.RTCPeerConnection()
    connections.add(connection)
    loop = asyncio.get_running_loop()

    def tell(event):
        found = getattr(event, "candidate", event)
        if found:
            words = {"candidate": found.candidate, "sdpMid": found.sdp_mid, "sdpMLineIndex": found.sdp_m_line_index}
            asyncio.run_coroutine_threadsafe(socket.send(json.dumps({"candidate": words})), loop)

    connection.on("icecandidate", tell)
    try:
        async for message in socket:
            said = json.loads(message)
            if "offer" in said:
                await socket.send(json.dumps({"answer": await answer(connection, said["offer"])}))
            elif said.get("candidate"):
                one = said["candidate"]
                await connection.add_ice_candidate(
                    webrtc.RTCIceCandidateInit(
                        candidate=one["candidate"], sdp_mid=one.get("sdpMid"), sdp_m_line_index=one.get("sdpMLineIndex")
                    )
                )
    finally:
        connections.discard(connection)
        connection.close()


def give_page(_, request):
    if request.path == "/signal":
        return None
    head = Headers({"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))})
    return Response(200, "OK", head, page)


async def main():
    wrtc.loadOpenH264(library)
    async with serve(visit, "0.0.0.0", int(port), process_request=give_page, compression=None):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
