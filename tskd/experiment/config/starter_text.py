"""The text of a first configuration: its data, and below them a forecaster or a soft sensor with its teacher."""

from __future__ import annotations

DATA = """\
{about}
#
# It runs as it is. Which columns are the target, which the deployed model will have, and which it will not, only you
# know: read the comments under `data`, and change what is wrong.
name: {name}

data:
  file: {file}    # in the folder of this configuration
  time: {time}
{optional}  target: {target}    # what is {verb}
  past: {past}    # columns that the deployed model will have too, up to the {product}
  future: []    # columns that it will know in advance: a calendar, a plan, a weather forecast
  # columns for training alone, by a name of your choice; of a finer file: {{minutes: {{file: fine.csv, columns: [a]}}}}
  privileged: {privileged}
  validation_start: {validation}    # share of the rows before it, or a date, such as 2018-08-01
  test_start: {test}

"""

FORECASTER = """\
lookback: {lookback}    # steps that a forecast is made from
horizon: {horizon}    # steps that are forecast

student:    # what will be deployed: a network of darts
  class: DLinearModel
  kwargs: &kwargs
    kernel_size: 5
    const_init: false    # else the seeds would differ in the order of the batches alone
    n_epochs: 20
    batch_size: {batch}
    optimizer_cls: AdamW
    optimizer_kwargs: {{lr: 1e-2, weight_decay: 0.1}}

teachers:
  {teacher}:    # {sees}
    model: {{class: DLinearModel, kwargs: *kwargs}}
    privileged: {source}

arms:    # ways to train the student; the student alone is always among them
  - {{name: {teacher}, teachers: {teacher}, balance: [0, 0.5, 1]}}    # weights of the teacher, chosen on validation
controls: [tuned, self-distilled, placebo, linear]    # what a gain has to beat; `all` adds those that are left

seeds: 2    # more make the verdict surer, and take longer
"""

SOFT_SENSOR = """\
soft_sensor: true    # the target's own past, which is mostly missing, is no input: those are the columns under `past`
lookback: 8    # steps of the inputs that a value is estimated from; they end a step before it
horizon: 1    # steps that are estimated at once

student:    # what will be deployed: a network of darts
  class: DLinearModel
  kwargs:
    kernel_size: 5
    const_init: false    # else the seeds would differ in the order of the batches alone
    n_epochs: 60    # with few labels, the student alone takes few steps in an epoch
    batch_size: {batch}
    optimizer_cls: AdamW
    optimizer_kwargs: {{lr: 3e-2, weight_decay: 0.1}}

teachers:
  others:    # tells the missing labels from the columns for training alone, at the same step
    reconstruction: others

arms:    # ways to train the student; the student alone is always among them
  - {{name: others, teachers: others, balance: 0.5}}    # weight of the teacher: few labels cannot choose it
controls: [tuned, self-distilled, placebo, linear, one-neighbour]    # what a gain has to beat

seeds: 2    # more make the verdict surer, and take longer
"""
