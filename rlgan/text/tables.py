"""The names that text's settings choose from, until each table stands beside what implements it."""

METHODS = {name: f"rlgan.text.methods:{name}" for name in ("mle", "policygan", "pretraingan", "mixedgan", "curriculum")}
ESTIMATORS = {name: f"rlgan.text.estimators:{name}" for name in ("reinforce", "all_tokens")}
WEIGHTINGS = {name: f"rlgan.text.estimators:{name}" for name in ("expected", "forward_kl")}
REWARD_RULES = {
    name: f"envs.reward:{name}"
    for name in ("probability", "log_probability", "centred", "log_odds", "density_ratio", "token_ratio")
}
# Rewards that are weights: forward_kl takes no others.
POSITIVE_REWARDS = ("probability", "density_ratio", "token_ratio")
CONTROLS = {name: f"rlgan.text.controls:{name}" for name in ("none", "constant", "shuffled", "random_discriminator")}
BASELINES = {
    name: f"rlgan.text.baselines:{name}"
    for name in ("none", "leave_one_out", "moving_average", "per_position", "learned")
}
RETURNS = {"discounted": "rlgan.text.returns:discounted_q"}
CORES = {"gru": "rlgan.text.networks:GRUCore", "cnn": "rlgan.text.networks:CausalConvolutions"}
LAYOUTS = {"windows": "rlgan.text.corpus:windows", "sentences": "rlgan.text.corpus:sentences"}
DATASETS = {"stories": "rlgan.text.corpus:load_stories", "oracle": "rlgan.text.oracle:load_oracle"}
