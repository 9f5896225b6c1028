"""The text pair of Yala & Song, section 4.1: both players are an embedding, a core that reads, and a linear output.

The players, `TextGenerator` and `TextDiscriminator`, write and read token by token (`initial_state`, `step`) or whole
sequences at once (`forward`), with the same result. What they read with is a core, a `rlgan.text.models.core.Core`:

- `Core(sizes)`, a `torch.nn.Module` made from `CoreSizes`;
- `initial_state(noise)`: the state before any token, from z, float32 [N, H];
- `forward(inputs, state)`: reads on, float32 [N, T, E]; gives the outputs, float32 [N, T, H], and the state after them.

A state is a tuple of tensors with leading axis N whose shapes never change, since in a rollout each row starts and ends
in its own time. Nobody else looks into it: a core that keeps no summary can keep the inputs so far, and read all of
them anew at each step. `CORES` has the cores that are built in; one of your own is named from outside, as in
`--generator-core package.module:Core`:

    class Words(nn.Module):  # reads the last word alone
        def __init__(self, sizes):
            super().__init__()
            self.linear = nn.Linear(sizes.input_size, sizes.hidden_size)

        def initial_state(self, noise):
            return (noise,)

        def forward(self, inputs, state):
            return self.linear(inputs) + state[0][:, None], state

The table names objects as strings: reading it imports nothing.
"""

CORES = {"gru": "rlgan.text.models.gru:GRUCore", "cnn": "rlgan.text.models.convolutions:CausalConvolutions"}
