"""The engine computes a run: in this process alone, or with actors on Ray, with the same result, bit for bit.

`engine` is what the training loop sees. `local` implements it without Ray; `ray_engine` with Ray, from these parts:

- `ray_environment`: what Ray must find in the environment when it is imported; `ray_connection`: starts or joins a Ray;
  `ray_address`: which addresses can be joined;
- `hosts`: the actors, that is, what runs in other processes; all else runs in this one;
- `dispatch` (which worker is sent which job), `roster` (which workers there are, and are wanted) and `placement` (what
  fits where): the decisions, as pure logic;
- `worker_pool`: tells these what happens, and does what they decide, on a `ray_cluster`; `failures` reads Ray's errors;
- `learner_group`: the learners' actors; `ray_learner`, `ray_rollouts`, `ray_statistics`: the parts of the engine.
"""
