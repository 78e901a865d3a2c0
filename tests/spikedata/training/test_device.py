from types import SimpleNamespace

import pytest
import torch

from spikedata.training.devices import Device, describe_devices, resolve_device


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    properties = SimpleNamespace(name="Example GPU", total_memory=2**34)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
def test_every_gpu_is_described_after_the_processor():
    processor, *gpus = describe_devices()
    assert processor.name == "cpu"
    assert gpus == [Device("cuda:0", "Example GPU", 2**34), Device("cuda:1", "Example GPU", 2**34)]


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_a_gpu_where_there_is_one():
    assert resolve_device().type == "cuda"


@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_the_processor_where_there_is_no_gpu():
    assert resolve_device() == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:1"])
def test_a_device_that_is_there_is_taken(name):
    assert resolve_device(name) == torch.device(name)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match="no device 'cuda:2': PyTorch finds 2 GPUs here"):
        resolve_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_gpu_is_never_replaced_in_silence(name):
    with pytest.raises(ValueError, match=f"no device '{name}': PyTorch finds 0 GPUs here"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "cudaX", "auto:1"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:N, got"):
        resolve_device(name)
