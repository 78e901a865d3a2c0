"""The Triton kernels are compiled for GPUs, down to machine code, which asks for no GPU: the interpreter takes more."""

import os
import subprocess
import sys

import pytest

from spikedata.nn.kernels.gpu import has_triton

# In a process of its own: other tests load the same modules for the interpreter, which cannot be undone.
COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from spikedata.nn.kernels import triton_adlif, triton_lif

FLOATS, WHOLE = {"alpha", "beta", "threshold", "scale", "height"}, {"n_batch", "n_steps", "n"}

def build(kernel, **constants):
    names = [param.name for param in kernel.params]
    constants = {name: value for name, value in constants.items() if name in names}
    types = {name: "fp32" if name in FLOATS else "i32" if name in WHOLE else "*fp32" for name in names}
    types |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, types, {(names.index(name),): value for name, value in constants.items()})
    made = compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": 8, "num_stages": 2})
    assert made.asm["cubin"], kernel
    assert made.metadata.shared <= 96 * 1024, made.metadata.shared  # what small GPUs have

for clips, neurons, recurrent in ((1, 128, False), (16, 256, True)):
    tile = dict(CLIPS=clips, NEURONS=neurons, ROWS=16, PRECISION="ieee", RECURRENT=recurrent, SHAPE=5)
    for to_zero in (True, False):
        rules = dict(tile, TO_ZERO=to_zero, SYMPLECTIC=to_zero, DETACHED=not to_zero, KEEPS=to_zero, SUMS=True)
        for kernel in (triton_lif.lif_forward, triton_lif.lif_backward,
                       triton_adlif.adlif_forward, triton_adlif.adlif_backward):
            build(kernel, **rules)
"""


@pytest.mark.skipif(not has_triton(), reason="needs the package triton, 286 MB: make test-triton")
def test_the_kernels_compile_for_a_gpu(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
