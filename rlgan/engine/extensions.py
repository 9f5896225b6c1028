"""Code from outside of the package, on its way to the processes of a run.

What was typed as `package.module:object` is imported by the driver. Other processes, which may be on other machines,
get the objects themselves: those of modules that only the driver's current directory has travel by value.
"""

from rlgan.engine.ray_environment import ray

from rlgan.settings import modules_found_here


def ship_modules() -> None:
    """Let objects of modules that only this process finds be pickled by value; before anything of them is sent."""
    for module in modules_found_here():
        # By reference, as pickle does it, the module would have to be importable where the object arrives.
        ray.cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
