"""The Littlest JupyterHub: copy it into /opt/tljh/config/jupyterhub_config.d/.

What the environment of each student has to say. Change what is marked with ←.
"""

c = get_config()  # noqa: F821

c.Spawner.environment = {
    "COURSE_SOLUTIONS": "off",  # ← "on": solution() prints solutions
    "COURSE_MIRROR": "",  # ← a folder of this machine, or http://… of your mirror
    "OMP_NUM_THREADS": "2",  # as many as limits.cpu in config.yaml
}
