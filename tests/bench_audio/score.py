"""What listeners would say, for `make bench-audio`: AECMOS (package speechmos) and ViSQOL (visqol-python).

Called with a folder of raw sound (32 bit float, 48 kHz) and a file `list` of lines `NAME st|dt`. Prints lines
`NAME MEASURE VALUE`, and `- MEASURE REASON` for a measure that is not at hand.
"""

import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
folder = Path(sys.argv[1])
rows = [line.split() for line in (folder / "list").read_text().splitlines()]

try:
    import numpy
    from scipy.signal import resample_poly
except ImportError as error:
    print("- all", error)
    sys.exit()


def sound(name, part):
    return numpy.clip(resample_poly(numpy.fromfile(folder / f"{name}.{part}", dtype="<f4"), 1, 3), -1, 1)


try:
    from speechmos import aecmos

    for name, talk in rows:
        parts = {part: sound(name, part) for part in ("lpb", "mic", "enh")}
        length = min(len(part) for part in parts.values())
        # The model judges the end, where cancellers have settled, and takes no more than twenty seconds.
        parts = {key: part[:length][-16000 * 19:] for key, part in parts.items()}
        result = aecmos.run(parts, sr=16000, talk_type=talk)
        print(name, "echo", result["echo_mos"])
        print(name, "other", result["deg_mos"])
except ImportError as error:
    print("- aecmos", error)

try:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="speech")
    for name, talk in rows:
        if talk == "dt":
            near, sent = sound(name, "ref"), sound(name, "enh")
            length = min(len(near), len(sent))
            begin = 16000 * 5
            near, sent = (part[begin:length].astype("float64") for part in (near, sent))
            print(name, "visqol", api.measure_from_arrays(near, sent, 16000).moslqo)
except ImportError as error:
    print("- visqol", error)
