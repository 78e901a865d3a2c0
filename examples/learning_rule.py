"""
A learning rule in thirty lines
===============================

**Can one neuron learn to fire at given times with a rule of its own, without back-propagation through time?** Yes:
SuperSpike, a three-factor rule, moves the spikes of a LIF neuron to five target times within some 200 trials.

The rule is that of Zenke and Ganguli, *SuperSpike* (Neural Computation 30:1514, 2018), equation by equation: a
synapse multiplies what arrived at it (presynaptic trace) by how close the neuron is to firing (surrogate derivative),
keeps the product as an eligibility trace, and changes its weight in proportion to that trace times the neuron's
error.
"""

# %%
# The task of their Figure 2: 100 inputs fire once and for all at random (8 Hz, 500 ms), and the neuron shall fire at
# five equidistant times. Times are in ms, voltages in mV above rest.

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import lfilter

dt, duration, tau_mem, tau_syn, refractory, threshold = 0.5, 500.0, 10.0, 5.0, 5.0, 10.0
n_steps, n_inputs, n_trials = 1000, 100, 400
target_times = np.linspace(0, duration, 7)[1:6]

# %%
# The rule. ``filtered`` is the double exponential that stands for both the postsynaptic potential and the kernel of
# the van Rossum distance, which is the loss; ``UNMATCHED`` is the energy of one spike too many, so the error below
# counts unmatched spikes.

UNMATCHED = 0.8333  # [ms]


def filtered(spikes):
    current = lfilter([1], [1, -np.exp(-dt / tau_syn)], spikes, axis=0)
    return lfilter([dt / tau_mem], [1, dt / tau_mem - 1], current, axis=0)


def run_neuron(weights, inputs):
    """Membrane [mV] and spikes of the LIF neuron, step by step."""
    current = lfilter([1], [1, -np.exp(-dt / tau_syn)], inputs @ weights)
    membrane, spikes = np.zeros(n_steps), np.zeros(n_steps)
    voltage, rest_until = 0.0, 0
    for step in range(n_steps):
        voltage = 0.0 if step < rest_until else voltage + dt / tau_mem * (current[step] - voltage)
        membrane[step] = voltage
        if voltage > threshold:
            spikes[step], voltage, rest_until = 1, 0.0, step + 1 + int(refractory / dt)
    return membrane, spikes


def learn(seed):
    """Error of each trial [unmatched spikes], and inputs, target, first and last membrane."""
    rng = np.random.default_rng(seed)
    inputs = (rng.random((n_steps, n_inputs)) < 0.008 * dt).astype(float)
    weights = rng.normal(0, 50 / np.sqrt(n_inputs), n_inputs)
    target = np.zeros(n_steps)
    target[np.round(target_times / dt).astype(int)] = 1
    presynaptic, scale, errors, membranes = filtered(inputs), np.zeros(n_inputs), [], []
    for trial in range(n_trials):
        membrane, spikes = run_neuron(weights, inputs)
        surrogate = 1 / (1 + np.abs(membrane - threshold)) ** 2  # 1 mV wide
        eligibility = filtered(presynaptic * surrogate[:, None])
        error = filtered(target - spikes)
        gradient = eligibility.T @ error / n_steps
        scale = np.maximum(gradient**2, 0.98347 * scale)  # RMaxProp: a step is never larger than the rate
        rate = 1.0 * 0.3 ** ((trial >= 200) + (trial >= 320))  # [mV]
        weights = np.clip(weights + rate * gradient / (np.sqrt(scale) + 1e-12), -100, 100)
        errors.append(np.sum(error**2) * dt / UNMATCHED)
        membranes.append(np.where(spikes > 0, 3 * threshold, membrane))
    return np.array(errors), inputs, membranes


# %%
# Seven neurons, each with inputs and weights of its own.

runs = [learn(seed) for seed in range(7)]
last = np.array([errors[-1] for errors, _, _ in runs])
print(f"unmatched spikes after {n_trials} trials: {', '.join(f'{error:.2f}' for error in last)}")
print(f"{np.sum(last < 0.5)} of {len(runs)} neurons fire at all five times, and at no other")

# %%
# The picture: one of the neurons before and after, and how the error of all seven falls. With seven seeds, one or two
# usually end with a spike out of place.

_, inputs, membranes = runs[1]
time = np.arange(n_steps) * dt
figure, axes = plt.subplot_mosaic(
    [["inputs", "error"], ["before", "error"], ["after", "error"]], figsize=(10, 5.5), width_ratios=(3, 2)
)
step, synapse = np.nonzero(inputs)
axes["inputs"].plot(time[step], synapse, "|", color="0.3", markersize=2)
axes["inputs"].set(title="Inputs", ylabel="Synapse")
for name, membrane, title in (("before", membranes[0], "First trial"), ("after", membranes[-1], "Last trial")):
    axes[name].vlines(target_times, -20, 32, color="C1", linewidth=5, alpha=0.35, label="target")
    axes[name].plot(time, membrane, linewidth=1, label="membrane")
    axes[name].set(title=title, ylabel="Voltage (mV)", ylim=(-20, 34))
    axes[name].sharex(axes["inputs"])
axes["before"].legend(loc="lower right", ncols=2)
axes["after"].set(xlabel="Time (ms)", xlim=(0, duration))
for errors, _, _ in runs:
    axes["error"].plot(errors, color="C0", alpha=0.25, linewidth=1)
axes["error"].plot(np.median([errors for errors, _, _ in runs], axis=0), color="C0", label="median of 7 neurons")
axes["error"].set(
    title="van Rossum error", xlabel="Trial", ylabel="Unmatched spikes", xlim=(0, n_trials), ylim=(0, None)
)
axes["error"].legend()
plt.show()
