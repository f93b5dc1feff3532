"""A Slurm cluster for tests: a controller and several node daemons here, with ports and folders of their own.

Debian's build lets many `slurmd -N NAME` live on one machine. Nothing of the system's own Slurm or MUNGE is touched.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.waiting import PATIENCE_S, wait_until

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "sinfo", "scancel", "scontrol")
INSTALL = "apt-get install slurm-wlm munge, as root"
STOP_S = 120.0
PORTS = range(20000, 32000)
"""Below those that Linux gives to whoever asks for any: nobody takes one while its daemon is down for a moment."""
SILENCE_S = 12

CONF = """\
ClusterName=envcheck-test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
GresTypes=gpu
ReturnToService=2
MailProg=/bin/true
MpiDefault=none
SlurmdParameters=config_overrides
SlurmdTimeout={silence_s}
MessageTimeout=2
TCPTimeout=1
KillWait=2
MinJobAge=60
MaxArraySize=1001
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=10000
"""


@dataclass(frozen=True)
class Node:
    """A node: its features, and how many GPUs it says that it has."""

    name: str
    features: str
    gpus: int = 1
    partition: str = "main"


FOUR = (*(Node(f"n{number}", "driver-560") for number in range(1, 4)), Node("n4", "driver-550.54.15", gpus=0))


def cluster_missing() -> str:
    """Why no cluster can be started here, or an empty text."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root, for Slurm's daemons; enable with: sudo"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    return f"no {', '.join(missing)} here; enable with: {INSTALL}" if missing else ""


@dataclass
class Cluster:
    """A running cluster."""

    folder: Path
    nodes: Sequence[Node]
    port: int
    silence_s: int = SILENCE_S
    """After so many seconds a node that says nothing is down: more than a busy machine keeps one waiting."""
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def env(self) -> Mapping[str, str]:
        """What Slurm's programs need to find it."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def ask(self, *argv: str) -> str:
        """What one of Slurm's programs prints."""
        done = subprocess.run(
            argv, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        return done.stdout + done.stderr

    def start(self) -> None:
        """Start everything, and wait until all nodes are idle."""
        self.start_munge()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node.name)
        self.wait_for(lambda: self.states().count("idle") == len(self.nodes))

    def start_munge(self) -> None:
        """The daemon that signs messages, with a key of its own."""
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.launch("munge", ["munged", "--foreground", "--force", "--key-file", str(key),
            "--socket", str(self.folder / "munge.sock"), "--pid-file", str(self.folder / "munge.pid"),
            "--log-file", str(self.folder / "munge.log"), "--seed-file", str(self.folder / "munge.seed")])  # fmt: skip
        wait_until((self.folder / "munge.sock").exists, "munged")

    def start_controller(self) -> None:
        """Slurm's controller; a second time it goes on with what it had saved."""
        self.launch("slurmctld", ["slurmctld", "-D", "-i"])

    def start_node(self, name: str) -> None:
        """The daemon of one node."""
        self.launch(name, ["slurmd", "-D", "-N", name])

    def revive(self, name: str) -> None:
        """Start the daemon of a node that was killed, and wait until jobs can run on it."""
        self.start_node(name)
        asked = ("sinfo", "--noheader", "--Node", f"--nodes={name}", "--format=%T")
        self.wait_for(lambda: self.ask(*asked).strip() in ("idle", "mixed", "allocated"), f"node {name}")

    def launch(self, name: str, argv: Sequence[str]) -> None:
        """Start a daemon in the foreground."""
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                argv, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def states(self) -> list[str]:
        """The state of each node."""
        return self.ask("sinfo", "--noheader", "--Node", "--format=%T").split()

    def wait_for(self, met: Callable[[], bool], what: str = "the cluster") -> None:
        """Wait for something that the cluster is to do."""
        wait_until(met, lambda: f"{what}; sinfo says {self.ask('sinfo', '-N', '-l')!r}")

    def kill(self, name: str) -> None:
        """A daemon is gone from one moment to the next; of a node also what it ran, before anything can be told."""
        steps = self.steps(name)
        daemon = self.daemons.pop(name)
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
        for pid in steps:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self, name: str) -> None:
        """A daemon ends as it does when it is stopped: it saves what it knows."""
        daemon = self.daemons.pop(name)
        daemon.terminate()
        daemon.wait(STOP_S)

    def steps(self, name: str) -> list[int]:
        """The processes of a node's jobs: Slurm's own first, then those that they have started with the node's name."""
        found = []
        mark = f"SLURMD_NODENAME={name}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    ours = self.env["SLURM_CONF"].encode() in (entry / "environ").read_bytes()
                    if ours and mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        keepers = {parent for pid in found if (parent := parent_of(pid)) and name_of(parent).startswith("slurmstepd")}
        return [*keepers, *found]

    def stop(self) -> None:
        """End everything of this cluster."""
        self.ask("scancel", "--user", "root")
        for name in [*(node.name for node in self.nodes), "slurmctld", "munge"]:
            if daemon := self.daemons.get(name):
                daemon.terminate()
        for daemon in self.daemons.values():
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()
        for pid in self.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def left(self) -> list[int]:
        """What still runs of this cluster and its jobs: all that was started with its configuration."""
        mark = f"SLURM_CONF={self.env['SLURM_CONF']}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found


def parent_of(pid: int) -> int:
    """The parent of a process; 0 where it is gone."""
    with suppress(OSError, ValueError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def name_of(pid: int) -> str:
    """How a process calls itself."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


@contextmanager
def running(nodes: Sequence[Node] = FOUR, more: str = "", silence_s: int = SILENCE_S) -> Iterator[Cluster]:
    """A cluster of these nodes; `more` are further lines of slurm.conf."""
    folder = Path(tempfile.mkdtemp(prefix="envcheck-sl-"))
    folder.chmod(0o755)
    cluster = Cluster(folder, nodes, free_ports(1)[0], silence_s)
    write_configuration(cluster, more)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def write_configuration(cluster: Cluster, more: str) -> None:
    """slurm.conf and gres.conf."""
    folder = cluster.folder
    (folder / "state").mkdir()
    text = CONF.format(
        host=socket.gethostname().split(".")[0], folder=folder, port=cluster.port, silence_s=cluster.silence_s
    )
    gres = []
    for node, port in zip(cluster.nodes, free_ports(len(cluster.nodes)), strict=True):
        (folder / f"spool-{node.name}").mkdir()
        gpus = f" Gres=gpu:{node.gpus}" if node.gpus else ""
        text += (
            f"NodeName={node.name} NodeHostname={socket.gethostname().split('.')[0]} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs=2 Features={node.features}{gpus}\n"
        )
        gres += [f"NodeName={node.name} Name=gpu File=/dev/null\n"] if node.gpus else []
    for number, name in enumerate(dict.fromkeys(node.partition for node in cluster.nodes)):
        members = ",".join(node.name for node in cluster.nodes if node.partition == name)
        text += f"PartitionName={name} Nodes={members} MaxTime=1-00:00:00 Default={'NO' if number else 'YES'}\n"
    (folder / "slurm.conf").write_text(text + more, encoding="utf-8")
    (folder / "gres.conf").write_text("".join(gres), encoding="utf-8")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, drawn by chance: another run on this machine draws others."""
    drawn = random.SystemRandom().sample(PORTS, len(PORTS))
    return list(islice(filter(is_free, drawn), count))


def is_free(port: int) -> bool:
    """True where nobody has this port."""
    with socket.socket() as one, suppress(OSError):
        one.bind(("", port))
        return True
    return False
