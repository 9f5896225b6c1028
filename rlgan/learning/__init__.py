"""What no task owns: the learner, losses, direct gradients, several learners, optimisers, weights in and out."""
