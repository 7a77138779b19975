"""Reading a pipeline for ways to go on after a no. What is not known to stop the job is a fault."""

import re
from collections.abc import Iterator
from textwrap import indent
from typing import Any

import yaml

CLIENT = re.compile(r"\bccgate\b")
CHECK = re.compile(r"python3 (?:\./)?ccgate (check|begin|report)\b")
STRICT = re.compile(r"set (-e|-eu|-ex|-eux|-euo pipefail|-eo pipefail|-o errexit)")
ASSIGNED = re.compile(r"[A-Z_]+=\$\([^()|&;]*\)")
# The one block that begins, with its one condition: what deploys is reported as done, as failed or as stopped, and whatever is not done
# fails the script. Letter by letter.
REPORTED = """stopped() {
  trap '' INT TERM
  kill ${!:-} || echo "Nothing was running."
  python3 ccgate report failed --switched --message "The job was stopped." --retry-for 5s --ticket-file ticket.json
  exit 1
}
trap stopped INT TERM
python3 ccgate begin --ticket-file ticket.json
./deploy.sh &
if wait $!; then
  trap '' INT TERM
  python3 ccgate report succeeded --ticket-file ticket.json
else
  trap '' INT TERM
  python3 ccgate report failed --ticket-file ticket.json
  exit 1
fi"""
PLAIN = "python3 ccgate begin --ticket-file ticket.json\n./deploy.sh"
# What a hook of Argo CD says, and nothing else: a sync that failed is no success, and may have reached users.
SAID = {"PostSync": re.compile(r"report succeeded( |$)"), "SyncFail": re.compile(r"report failed --switched( |$)")}
# Each is a way for a command to fail and the script to go on.
SHELL = {
    r"\|\|": "a list with || goes on after a failure",
    r"&&": "a command before && that fails does not stop the script",
    r"(?<![&>])&(?![&\d])": "a command in the background is not waited for",
    r"^\s*!": "a command behind ! does not stop the script",
    r"^\s*(if|while|until|elif)\b": "a command that is a condition does not stop the script",
    r"\bset \+": "set + takes the strictness back",
    r"^\s*trap\b": "a trap may change the exit code",
    r"\bexit\b": "an exit of its own hides the client's code",
    r"\beval\b": "what eval runs is not read here",
    r"\btrue\b|^\s*:": "a command that always succeeds",
    r"^\s*[\w.-]+\s*\(\s*\)|\bfunction\b|\balias\b|\bPATH=": "a name may stand for another command",
    r"`": "the exit code of a command in backticks is lost",
    r"--insecure|\s-k\b": "a server that is not proved",
    r"\b(tolerant|ignore-missing)\b": "a digest that is not there passes",
}
# Members of a pipeline's file that let it go on, and the values with which they do not.
MEMBERS: dict[str, set[object]] = {
    "continue-on-error": {False},
    "allow_failure": {False},
    "soft_fail": {False},
    "ignoreError": {False},
    "ignore_errors": {False},
    "failFast": {True},
    "backoffLimit": {0},
    "restartPolicy": {"Never"},
    "argocd.argoproj.io/hook": {"PreSync", "PostSync", "SyncFail"},
    # With a name of its own and another policy, the job of an earlier sync would stand for this one's.
    "argocd.argoproj.io/hook-delete-policy": {"BeforeHookCreation"},
}
FORBIDDEN = {"after_script", "continue_on_failure", "podFailurePolicy"}
GOES_ON = re.compile(r"always\(\)|failure\(\)|cancelled\(\)|on_fail|always")
GROOVY = {
    r"\bcatchError\b": "catchError goes on",
    r"\bwarnError\b": "warnError goes on",
    r"\bunstable\b": "an unstable build goes on",
    r"\breturnStatus\b": "returnStatus makes a number of a failure",
    r"\btry\b": "try hides a failure",
    r"\bpost\b": "post runs after a failure too",
    r"\bpropagate\s*:\s*false": "a failure is not passed on",
}


def shell_faults(script: str, *, asks: bool = True) -> Iterator[str]:
    """Why this script may deploy without a yes; one that does not ask reports, and deploys nothing."""
    lines = [line for line in script.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    lines = "\n".join(lines).replace(_as_deep(REPORTED, lines), PLAIN).splitlines()
    if not lines or not STRICT.fullmatch(lines[0].strip()):
        yield "it does not begin with set -e"
    for line in lines:
        bare = re.sub(r"\"[^\"$`]*\"|'[^']*'", '""', line)
        yield from (f"{why}: {line.strip()}" for pattern, why in SHELL.items() if re.search(pattern, bare))
        yield from _of_line(line, script)
    if not asks and len(lines) != len(("set", "fetch", "pin", "prove", "report")):
        yield "it does more than report"
    yield from _of_order(lines, asks=asks)


def _as_deep(block: str, lines: list[str]) -> str:
    depth = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return indent(block, " " * depth)


def _of_line(line: str, script: str) -> Iterator[str]:
    if re.search(r"(?<!\|)\|(?!\|)", line) and "pipefail" not in script:
        yield f"only the last of a pipe is looked at: {line.strip()}"
    if CLIENT.search(line) and "|" in line:
        yield f"the client's code passes through a pipe: {line.strip()}"
    if "$(" in line and not ASSIGNED.fullmatch(line.strip()):
        yield f"the exit code of a command in $( ) is lost: {line.strip()}"
    if re.search(r"\bcurl\b", line) and not re.search(r"--fail\b|\s-[a-zA-Z]*f[a-zA-Z]*\b", line):
        yield f"curl without --fail takes an error page for the file: {line.strip()}"
    if re.search(r"\bwget\b", line):
        yield f"a download that is not known to fail: {line.strip()}"
    if CHECK.search(line) and not CHECK.match(line.strip()):
        yield f"the client is not the command itself: {line.strip()}"
    if CHECK.search(line) and ";" in line:
        yield f"something stands on the client's line: {line.strip()}"


def _of_order(lines: list[str], *, asks: bool) -> Iterator[str]:
    fetched = _first(lines, r"\bcurl\b.*ccgate")
    pinned, proved = _first(lines, r"[0-9a-f]{64}  ccgate"), _first(lines, r"^\s*sha256sum (-c|--check)( --strict)? ccgate\.sha256\s*$")
    asked, begun, deployed = (
        _first(lines, pattern) for pattern in (r"python3 ccgate check\b" if asks else r"ccgate report\b", r"ccgate begin\b", r"deploy\.sh")
    )
    if asked is None:
        yield "nobody asks"
    elif fetched is None or pinned is None or proved is None or not fetched < proved < asked or pinned > proved:
        yield "the client runs before it is proved to be the pinned one"
    if deployed is not None and (asked is None or deployed < asked):
        yield "it deploys before it asks"
    if begun is not None and (asked is None or begun < asked or (deployed is not None and deployed < begun)):
        yield "it begins before it asks, or deploys before it begins"


def _first(lines: list[str], pattern: str) -> int | None:
    return next((number for number, line in enumerate(lines) if re.search(pattern, line)), None)


def yaml_faults(text: str) -> Iterator[str]:
    """Why the file around the script may go on."""
    for document in yaml.safe_load_all(text):
        yield from _of_member("", document)


def _of_member(name: str, value: Any) -> Iterator[str]:
    if name in FORBIDDEN:
        yield f"{name} runs or passes after a failure"
    if name in MEMBERS and not any(value is good or (value == good and type(value) is type(good)) for good in MEMBERS[name]):
        yield f"{name}: {value} goes on after a failure"
    if name in {"if", "when"} and isinstance(value, str) and GOES_ON.search(value):
        yield f"{name}: {value} runs after a failure"
    if name == "shell" and isinstance(value, str) and value != "bash" and "-e" not in value:
        yield f"shell: {value} does not stop at a failure"
    if isinstance(value, dict):
        for key, inside in value.items():
            if name == "artifacts" and key == "when":  # what is kept of a job, not whether it runs
                continue
            yield from _of_member(str(key), inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _of_member(name, inside)


def argo_faults(text: str) -> Iterator[str]:
    """Why the hooks of Argo CD may go on, or tell of a sync what it was not."""
    jobs = [job for job in yaml.safe_load_all(text) if isinstance(job, dict)]
    hooks = {_notes(job).get("argocd.argoproj.io/hook"): job for job in jobs}
    if [job.get("kind") for job in jobs] != ["Job"] * 3 or set(hooks) != {"PreSync", *SAID}:
        yield "it takes one hook that asks, one for what went well and one for what failed"
        return
    waves = {phase: int(_notes(job).get("argocd.argoproj.io/sync-wave", "0")) for phase, job in hooks.items()}
    if waves["PreSync"] >= 0 or waves["PostSync"] <= 0:
        yield "something else of the sync comes before the question, or after the report that it went well"
    said = {phase: _said_by(job) for phase, job in hooks.items()}
    if [line.split()[2] for line in said["PreSync"]] != ["check", "begin"]:
        yield "what goes on has not asked and begun"
    for phase, pattern in SAID.items():
        if len(said[phase]) != 1 or not pattern.search(said[phase][0]):
            yield f"{phase} tells something else: {said[phase]}"
    if len({_about(lines[0]) for lines in said.values() if lines}) != 1 or len({str(_container(job)["env"]) for job in jobs}) != 1:
        yield "what is told is about something else, or comes from another token"


def _notes(job: Any) -> dict[str, str]:
    return dict(job["metadata"].get("annotations", {}))


def _container(job: Any) -> dict[str, Any]:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    return dict(only)


def _said_by(job: Any) -> list[str]:
    return [line for line in "\n".join(_container(job)["args"]).splitlines() if line.startswith("python3 ccgate ")]


def _about(line: str) -> tuple[str, ...]:
    return tuple(re.findall(r"--(?:service|environment|commit|digest|config) \S+", line))


def groovy_faults(text: str) -> Iterator[str]:
    """Why a Jenkinsfile may go on."""
    yield from (why for pattern, why in GROOVY.items() if re.search(pattern, text))


def scripts_in(system: str, text: str) -> list[str]:
    """The shell that a system would run, as it would run it."""
    match system:
        case "shell":
            return [text]
        case "jenkins":
            return [re.sub(r"^#!.*\n", "", one).lstrip("\n") for one in re.findall(r"sh '''(.*?)'''", text, re.DOTALL)]
    read = yaml.safe_load(text) if system != "argocd" else None
    match system:
        case "github":
            return [step["run"] for job in read["jobs"].values() for step in job["steps"] if "run" in step]
        case "gitlab":
            return ["\n".join(job["script"]) for job in read.values() if "script" in job]
        case "circleci":
            return [
                step["run"]["command"] for job in read["jobs"].values() for step in job["steps"] if isinstance(step, dict) and "run" in step
            ]
        case "buildkite":
            return [step["command"].replace("$$", "$") for step in read["steps"]]
        case "argocd":
            return ["\n".join(_container(job)["args"]) for job in yaml.safe_load_all(text)]
    raise LookupError(system)


def faults(system: str, text: str) -> list[str]:
    """Every way in which this snippet may fail open."""
    scripts = [_without_head(system, script) for script in scripts_in(system, text)]
    asking = [system != "argocd" or number == 0 for number in range(len(scripts))]
    found = [
        *around(system, text),
        *(fault for script, asks in zip(scripts, asking, strict=True) for fault in shell_faults(script, asks=asks)),
    ]
    return found if scripts else [*found, "nothing runs"]


def around(system: str, text: str) -> list[str]:
    """Every way in which the file around the shell may go on."""
    match system:
        case "shell":
            return []
        case "jenkins":
            return [*groovy_faults(text)]
        case "argocd":
            return [*yaml_faults(text), *argo_faults(text)]
    return [*yaml_faults(text)]


def _without_head(system: str, script: str) -> str:
    return script.partition("\n")[2] if system == "shell" and script.startswith("#!") else script
