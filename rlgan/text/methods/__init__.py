"""Methods: how the generator learns, as a schedule of what each step computes (Yala & Song, section 4.2).

A method is a `rlgan.text.methods.method.Method`: a function `(schedule, step) -> Plan`, and what there is to know of
all its steps. `METHODS` has the paper's four and MLE; one of your own is named from outside, as in
`--method package.module:ALTERNATING`:

    ALTERNATING = Method(lambda schedule, step: Plan(float(step % 2), schedule.discriminator_steps))

The table names objects as strings: reading it imports nothing.
"""

METHODS = {
    "mle": "rlgan.text.methods.method:MLE",
    "policygan": "rlgan.text.methods.method:POLICYGAN",
    "pretraingan": "rlgan.text.methods.method:PRETRAINGAN",
    "mixedgan": "rlgan.text.methods.method:MIXEDGAN",
    "curriculum": "rlgan.text.methods.method:CURRICULUM",
}
