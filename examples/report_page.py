"""
A report to look at and send
============================

**What is in my file of spikes, and may I see and hear it?** ``spikedata report FILE --audio FOLDER`` writes one HTML
page that needs no server and loads nothing: classes, speakers, rates in Hz, and clips that play their sound over
their spikes.
"""

# %%
# A small file: two speakers, ten words, one take.

import html
import shutil
import tempfile
from pathlib import Path

import spikedata as sd
from spikedata.report import report_data_set

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name, "words")
folder.mkdir()
for path in sorted(sd.embedded_corpus().glob("lang-english_speaker-0[49]_trial-0_digit-*.flac")):
    shutil.copy(path, folder)
spike_path = folder.with_suffix(".h5")
sd.encode(folder, spike_path, corpus="heidelberg_digits")

# %%
# The page. By default it has as many clips as fit 5 MB; here are four, so that this site stays small. A run and a
# folder of runs have pages, too: ``spikedata report runs/first``.

page_path = folder.with_suffix(".html")
made = report_data_set(spike_path, page_path, audio=folder, clips=4)
page = page_path.read_text(encoding="utf-8")
print(f"{page_path.name}: a {made.kind}, {made.clips} clips with sound, {made.bytes / 1e6:.2f} MB")
print(*made.notes, sep="\n")

# %%
# This is it, in a frame of this page. Press Play, or choose another clip.


class Frame:
    """Shows the page in a notebook and on this site."""

    def _repr_html_(self):
        return (
            f'<iframe srcdoc="{html.escape(page)}" title="Report" width="100%" height="720" style="border:0"></iframe>'
        )


temporary.cleanup()
Frame()

# sphinx_gallery_thumbnail_path = 'images/report.png'
