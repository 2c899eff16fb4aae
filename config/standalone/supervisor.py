"""One foreground process that starts the whole product, keeps it running and stops it in order."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.standalone import layout
from config.standalone.broker import Broker
from config.standalone.cluster import Cluster
from config.standalone.holding import only_one_on, refuse_half_restored
from config.standalone.naming import agree_on_origin
from config.standalone.options import PROJECT, Options, child_environment, keeper_environment
from config.standalone.processes import StandaloneError, end_all, rotate, signal_at_parents_end, supervised_for, tail
from config.standalone.readiness import readiness_of
from config.standalone.services import Command, Service
from config.standalone.static_stamp import stale
from config.standalone.stopping import StopAsked, StopRequest, ignore_stop_signals, stop_signals
from config.standalone.terminal import say, step
from config.standalone.witnesses import ask_witnesses

BLOCKING_THREADS = 64  # threads of a web process: as many single posts can share one commit
CONTROL_CONNECTIONS = 24  # of the control process: its threads, and those that listen
DRAIN_PATIENCE = 35.0  # the web server gives its own workers 30 s
TASK_PATIENCE = 20.0  # a task that is cut off runs again: they are acknowledged late and idempotent
LEFTOVER_PATIENCE = 10.0
READY_PATIENCE = 120.0
OUTGOING_WORKER = ["-Q", "outgoing", "--pool", "threads", "--concurrency", "16"]  # it waits for others' servers
EXPORTS_WORKER = ["-Q", "exports", "--pool", "threads", "--concurrency"]  # long work, which gives way
STOPPED_FIRST = ("demo-stream", "demo-service", "web", "control")
TICK = 0.5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_AFTER = 60.0  # seconds after which a service counts as healthy again
UPKEEP_EVERY = 24 * 3600.0
CHECKING = ("setup_database", "check")
"""The commands that check settings, models and addresses: one of them runs first, and once is enough."""
CHECKED = {"CELERY_SKIP_CHECKS": "1"}


@dataclass
class Watched:
    """A running service and its history of crashes."""

    service: Service
    started_at: float = field(default_factory=time.monotonic)
    pause: float = FIRST_PAUSE
    restart_at: float | None = None


class Supervisor:
    """Starts PostgreSQL, the broker, web, worker and beat of one data folder; see `run`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.logs = options.data_dir / "logs"
        self.watched: list[Watched] = []
        self.stop_request = StopRequest()
        self.serving = False
        self.demonstration = ""
        self.troubles: tuple[str, ...] = ()
        self.next_upkeep = time.monotonic() + UPKEEP_EVERY

    def run(self) -> None:
        """Start everything, say where it is, watch it until somebody asks to stop. Nothing is left running."""
        with only_one_on(self.options.data_dir), stop_signals(self.stop_request):
            try:
                self._start()
                self.stop_request.heed()
                self._greet()
                self._watch()
            except StopAsked:
                say()
            finally:
                ignore_stop_signals()
                self._stop()

    # --- starting -----------------------------------------------------------------------------------------------------
    def _start(self) -> None:
        refuse_half_restored(self.options.data_dir)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        if self.options.what == "demo":
            layout.mark_demonstration(self.options.data_dir)
        end_all(supervised_for(self.options.data_dir), patience=LEFTOVER_PATIENCE)
        if self.options.what == "database":
            self._start_cluster()
            return
        for port, variable in ((self.options.port, "PORT"), (self.options.control_port, "CONTROL_PORT")):
            refuse_taken_port(self.options.host, port, variable)
        layout.remember_ports(self.options.data_dir, self.options.port, self.options.control_port)
        if self.options.database_url is None:
            self._start_cluster()
        if self.options.broker_url is None:
            with step("Starting the broker"):
                self._begin(Broker(self.options.data_dir, log=self._log("broker")))
        self._prepare_database()
        agree_on_origin(self.options)
        ask_witnesses(self._manage)
        self._collect_static_files()
        ports = f"web on {self.options.host}:{self.options.port}, control on port {self.options.control_port}"
        with step(f"Starting {ports}, workers and beat"):
            for service in self._python_services():
                self._begin(service)
            self._wait_until_ready()
        self.serving = True
        if self.options.what == "demo" and not self.troubles:
            with step("Loading the demonstration"):
                self.demonstration = load_demonstration(self._manage, self.options)

    def _start_cluster(self) -> None:
        limit = connection_limit(self.options)
        cluster = Cluster(self.options.data_dir, log=self._log("postgres"), max_connections=limit)
        with step(f"Starting PostgreSQL {cluster.version()}"):
            self._begin(cluster)

    def _prepare_database(self) -> None:
        if self.options.database_url and not self.options.admin_database_url:
            say("No ANSWERABLE_ADMIN_DATABASE_URL: tables and partitions are left to you (manage.py setup_database).")
            with step("Checking the settings"):
                self._manage("check")
            return
        with step("Preparing the database"):
            self._manage("setup_database", env=keeper_environment(self.options))

    def _collect_static_files(self) -> None:
        collected = Path(os.environ.get("ANSWERABLE_STATIC_DIR") or self.options.data_dir / "static")
        with stale(collected) as must_collect:
            if must_collect:
                with step("Collecting static files"):
                    self._manage("collectstatic", "--noinput", "--verbosity=0")

    def _python_services(self) -> Iterator[Command]:
        celery = ["-m", "celery", "-A", "config.celery"]
        node = f"{self.options.port}@%h"  # two workers of one name on one broker disturb each other
        worker = [*celery, "worker", "--without-gossip", "--without-mingle"]
        usual = ["--pool", "prefork", "--concurrency", "2", "-n", f"answerable-{node}"]
        outgoing = [*OUTGOING_WORKER, "-n", f"answerable-outgoing-{node}"]
        at_once = os.environ.get("ANSWERABLE_EXPORTS_AT_ONCE") or "1"
        exports = [*EXPORTS_WORKER, at_once, "-n", f"answerable-exports-{node}"]
        # no pid file: one that a crash left would block the start. The lock on the data folder keeps beat single.
        beat = [*celery, "beat", "--schedule", str(self.options.data_dir / "beat-schedule"), "--pidfile", ""]
        yield self._command("web", web_module(self.options), patience=DRAIN_PATIENCE)
        yield self._command("control", control_module(self.options), patience=DRAIN_PATIENCE)
        for name, own in (("worker", usual), ("outgoing", outgoing), ("exports", exports)):
            module = [*worker, *own, "--loglevel", "INFO"]
            yield self._command(name, module, patience=TASK_PATIENCE, also=CHECKED)
        module = [*beat, "--loglevel", "INFO"]
        yield self._command("beat", module, patience=LEFTOVER_PATIENCE, also=CHECKED)

    def _command(
        self, name: str, module: list[str], *, patience: float, also: Mapping[str, str] | None = None
    ) -> Command:
        env = child_environment(self.options) | {"ANSWERABLE_PROCESS": name, **(also or {})}
        return Command(name, module, data_dir=self.options.data_dir, log=self._log(name), env=env, patience=patience)

    def _demo_command(self, what: str) -> Command:
        """A sender of decisions. The SDK (sdk/) has no dependencies: it need only be on the path."""
        path = os.pathsep.join(filter(None, (str(PROJECT / "sdk" / "src"), os.environ.get("PYTHONPATH"))))
        module = [str(PROJECT / "manage.py"), f"demo_{what}"]
        return self._command(f"demo-{what}", module, patience=LEFTOVER_PATIENCE, also={"PYTHONPATH": path})

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _begin(self, service: Service) -> None:
        self.stop_request.heed()
        rotate(service.log)
        self.watched.append(Watched(service))  # first: what is half started is stopped as well
        service.start()

    def _manage(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        """Run a command of manage.py to its end; its output. Its errors are shown, and end the start."""
        known = [] if arguments[0] in CHECKING else ["--skip-checks"]
        done = subprocess.run(
            [sys.executable, str(PROJECT / "manage.py"), *arguments, *known],
            env=env or child_environment(self.options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=signal_at_parents_end(signal.SIGTERM),
        )
        self.stop_request.heed()
        with self._log("manage").open("a") as log:
            log.write(f"$ manage.py {arguments[0]}\n{done.stderr}")  # not what it said: that may be a link or a key
        if done.returncode:
            raise StandaloneError(f"manage.py {arguments[0]} failed:\n{done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_PATIENCE
        for name, port in (("web", self.options.port), ("control", self.options.control_port)):
            while not (found := readiness_of(self.options.host, port)).is_up:
                self.stop_request.heed()
                self._refuse_early_end()
                if time.monotonic() > until:
                    log = self._log(name)
                    raise StandaloneError(f"{name} was not ready after {READY_PATIENCE:.0f} s. {log}:\n{tail(log)}")
                time.sleep(0.1)
            self.troubles = found.troubles

    def _refuse_early_end(self) -> None:
        for watched in self.watched:
            if how := watched.service.ended():
                name, log = watched.service.name, watched.service.log
                raise StandaloneError(f"{name} did not start ({how}). The end of {log}:\n{tail(log)}")

    # --- the words at the end of the start ----------------------------------------------------------------------------
    def _greet(self) -> None:
        say()
        if self.options.what == "database":
            say(
                f"  PostgreSQL      {layout.database_url(self.options.data_dir, role='keeper')}\n\n  Ctrl-C stops it.\n"
            )
            return
        say(f"  Answerable      {self.options.base_url}/")
        say(f"  Control         {self.options.control_url}/  (stops, event streams, flags: docs/operations.md)")
        say(f"  Data and keys   {self.options.data_dir}")
        say(f"  Logs            {self.logs}")
        if not os.environ.get("ANSWERABLE_EMAIL_URL") and not os.environ.get("ANSWERABLE_EMAIL_URL_FILE"):
            say(f"  E-mails         {self.options.data_dir / 'mail'} (ANSWERABLE_EMAIL_URL names a mail server)")
        say(f"  manage.py       ANSWERABLE_DATA_DIR={self.options.data_dir} {sys.executable} manage.py ...")
        if self.troubles:
            words = "\n  ".join(self.troubles)
            say(f"\n  It runs, and takes no decisions until people have looked:\n  {words}\n  See `manage.py logs`.")
        elif self.options.what == "demo":
            self._show_demo()
        else:
            self._show_setup_link()
        say("\n  Ctrl-C stops it.\n")

    def _show_setup_link(self) -> None:
        try:
            link = self._manage("setup_link")
        except StandaloneError as error:  # whoever has an administrator already can work all the same
            say(f"\n  There is no link to create the first administrator. {error}")
            return
        if link:
            say(f"\n  Create the first administrator here (works once):\n  {link}")

    def _show_demo(self) -> None:
        say(f"\n{self.demonstration}")
        for name in ("stream", "service"):
            self._begin(self._demo_command(name))

    # --- keeping it alive ---------------------------------------------------------------------------------------------
    def _watch(self) -> None:
        while True:
            self.stop_request.heed()
            for watched in self.watched:
                self._look_after(watched)
            if self.options.what != "database" and time.monotonic() > self.next_upkeep:
                self._upkeep()
            time.sleep(TICK)

    def _look_after(self, watched: Watched) -> None:
        how = watched.service.ended()
        now = time.monotonic()
        if how is None:
            return
        if watched.restart_at is None:
            self._plan_restart(watched, how, now)
        elif now >= watched.restart_at:
            self._restart(watched)

    def _plan_restart(self, watched: Watched, how: str, now: float) -> None:
        steady = now - watched.started_at > STEADY_AFTER
        watched.pause = FIRST_PAUSE if steady else min(watched.pause * 2, LONGEST_PAUSE)
        watched.restart_at = now + watched.pause
        say(f"{clock()} {watched.service.name} ended ({how}); starting it again in {watched.pause:.0f} s.")
        if not how.startswith("killed"):
            say(tail(watched.service.log))

    def _restart(self, watched: Watched) -> None:
        watched.restart_at = None
        watched.started_at = time.monotonic()
        try:
            watched.service.start()
        except StandaloneError as error:  # looked at again, with a longer pause
            say(f"{clock()} {error}")
        else:
            say(f"{clock()} {watched.service.name} runs again.")

    def _upkeep(self) -> None:
        """Partitions for the months to come: an installation may run for longer than those made at its start."""
        self.next_upkeep = time.monotonic() + UPKEEP_EVERY
        if self.options.database_url and not self.options.admin_database_url:
            return
        try:
            self._manage("setup_database", env=keeper_environment(self.options))
        except StandaloneError as error:
            say(f"{clock()} {error}")

    # --- stopping -----------------------------------------------------------------------------------------------------
    def _stop(self) -> None:
        """The last one in is the first one out, but web before the others: it drains while all is still there."""
        services = [watched.service for watched in reversed(self.watched)]
        first = [service for service in services if service.name in STOPPED_FIRST]
        for service in [*first, *(service for service in services if service not in first)]:
            if service.ended() is None or isinstance(service, Command):
                with step(f"Stopping {service.name}"):
                    self._stop_one(service)
        end_all(supervised_for(self.options.data_dir), patience=LEFTOVER_PATIENCE)

    def _stop_one(self, service: Service) -> None:
        if isinstance(service, Command) and not self.serving:
            service.patience = 1.0  # nothing to finish yet, and a web process that still loads does not hear SIGTERM
        service.stop()


def load_demonstration(manage: Callable[..., str], options: Options) -> str:
    """What `load_demo` says to whoever looks at it. Without it there is no demonstration: a failure ends the start.

    Errors: `StandaloneError`. An empty product instead, with a few words above it, would be taken for the whole.
    """
    try:
        return manage("load_demo")
    except StandaloneError as error:
        folder = options.data_dir
        raise StandaloneError(
            f"The demonstration was not loaded, so everything was stopped. {error}\n"
            f"`make run DATA_DIR={folder}` starts what is in that folder; "
            "`make demo DATA_DIR=...` with a new folder makes another demonstration."
        ) from None


def web_module(options: Options) -> list[str]:
    """The web server: the module to run and its arguments."""
    web = ["-m", "granian", "--interface", "wsgi", "--host", options.host, "--port", str(options.port)]
    web += ["--workers", str(options.web_workers), "--blocking-threads", str(BLOCKING_THREADS), "--no-ws"]
    web += ["--workers-kill-timeout", "30", "--respawn-failed-workers", "--respawn-interval", "0.5"]
    return [*web, "config.wsgi:application"]


def control_module(options: Options) -> list[str]:
    """The control process: one event loop, and room for the streams of all clients at once."""
    control = ["-m", "granian", "--interface", "asgi", "--host", options.host, "--port", str(options.control_port)]
    control += ["--workers", "1", "--backlog", "4096", "--backpressure", "4096", "--no-ws", "--loop", "asyncio"]
    control += ["--workers-kill-timeout", "30", "--respawn-failed-workers", "--respawn-interval", "0.5"]
    return [*control, "config.asgi:application"]


def connection_limit(options: Options) -> int:
    """Connections of the private PostgreSQL: one for each web thread; the rest for committers, tasks and people."""
    return 200 + CONTROL_CONNECTIONS + options.web_workers * (BLOCKING_THREADS + 8)


def clock() -> str:
    return time.strftime("%H:%M:%S")


def refuse_taken_port(host: str, port: int, variable: str) -> None:
    """A server shares its port among its processes, and so would share it with a stranger without a word."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise StandaloneError(f"Port {port} on {host} {why}. Choose another with {variable}=...") from None
