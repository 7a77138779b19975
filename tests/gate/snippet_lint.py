"""Reading a pipeline for ways to go on after a no. What is not known to stop the job is a fault."""

import re
from collections.abc import Iterator
from textwrap import indent
from typing import Any

import yaml

CLIENT = re.compile(r"\bccgate\b")
CHECK = re.compile(r"python3 (?:\./)?ccgate (check|begin)\b")
STRICT = re.compile(r"set (-e|-eu|-ex|-eux|-euo pipefail|-eo pipefail|-o errexit)")
ASSIGNED = re.compile(r"[A-Z_]+=\$\([^()|&;]*\)")
# The one condition: what deploys either is reported as done, or as failed and the script fails. Letter by letter.
REPORTED = """if ./deploy.sh; then
  python3 ccgate report succeeded --ticket-file ticket.json
else
  python3 ccgate report failed --ticket-file ticket.json
  exit 1
fi"""
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
    "argocd.argoproj.io/hook": {"PreSync"},
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


def shell_faults(script: str) -> Iterator[str]:
    """Why this script may deploy without a yes."""
    lines = [line for line in script.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    lines = "\n".join(lines).replace(_as_deep(REPORTED, lines), "./deploy.sh").splitlines()
    if not lines or not STRICT.fullmatch(lines[0].strip()):
        yield "it does not begin with set -e"
    for line in lines:
        bare = re.sub(r"\"[^\"$`]*\"|'[^']*'", '""', line)
        yield from (f"{why}: {line.strip()}" for pattern, why in SHELL.items() if re.search(pattern, bare))
        yield from _of_line(line, script)
    yield from _of_order(lines)


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


def _of_order(lines: list[str]) -> Iterator[str]:
    fetched = _first(lines, r"\bcurl\b.*ccgate")
    pinned, proved = _first(lines, r"[0-9a-f]{64}  ccgate"), _first(lines, r"^\s*sha256sum (-c|--check)( --strict)? ccgate\.sha256\s*$")
    asked, begun, deployed = (_first(lines, pattern) for pattern in (r"python3 ccgate check\b", r"python3 ccgate begin\b", r"deploy\.sh"))
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
    read = yaml.safe_load(text)
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
            return ["\n".join(one["args"]) for one in read["spec"]["template"]["spec"]["containers"]]
    raise LookupError(system)


def faults(system: str, text: str) -> list[str]:
    """Every way in which this snippet may fail open."""
    around = groovy_faults(text) if system == "jenkins" else yaml_faults(text) if system != "shell" else ()
    scripts = scripts_in(system, text)
    found = [*around, *(fault for script in scripts for fault in shell_faults(_without_head(system, script)))]
    return found if scripts else [*found, "nothing runs"]


def _without_head(system: str, script: str) -> str:
    return script.partition("\n")[2] if system == "shell" and script.startswith("#!") else script
