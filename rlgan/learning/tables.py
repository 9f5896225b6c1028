"""Names that settings offer for what no task owns, each with the `module:object` that implements it.

The objects are named, not imported, so that the command line lists the names without importing torch.
"""

# An `rlgan.learning.adversarial.AdversarialLoss`.
ADVERSARIAL_LOSSES: dict[str, str] = {
    "non_saturating": "rlgan.learning.adversarial:NON_SATURATING",
    "saturating": "rlgan.learning.adversarial:SATURATING",
    "relativistic": "rlgan.learning.adversarial:RELATIVISTIC",
}
