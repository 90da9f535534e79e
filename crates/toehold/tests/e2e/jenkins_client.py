"""Drives Toehold with python-jenkins, as a script that drove Jenkins does. Fails at the first answer
that is not as such a script needs it."""

import json
import sys
import time

import jenkins

url, user, token, job = sys.argv[1:5]
deadline = time.monotonic() + 60


def until(what, look):
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)


def built(**parameters):
    """Asks for a build and waits for its end."""
    item = server.build_job(job, parameters or None)
    executable = until("it is taken up", lambda: server.get_queue_item(item).get("executable"))
    number = executable["number"]
    until("it has ended", lambda: not server.get_build_info(job, number)["building"])
    return server.get_build_info(job, number)


server = jenkins.Jenkins(url, username=user, password=token)
assert server.get_whoami()["fullName"] == user, server.get_whoami()
assert server.get_version() == "2.479", server.get_version()
assert [it["name"] for it in server.get_jobs()] == [job], server.get_jobs()
assert server.job_exists(job) and not server.job_exists("another")
assert server.jobs_count() == 1
assert server.get_info()["jobs"][0]["url"] == f"{url}/job/{job}/"

before = server.get_job_info(job)
assert before["lastBuild"]["number"] == 1 and before["color"] == "blue", before

# The same commit again: what was built is deployed, and its build is the one that is named.
again = built(track="stable")
assert (again["number"], again["result"]) == (1, "SUCCESS"), again

print("READY", flush=True)
assert sys.stdin.readline() == "GO\n"

new = built(branch="work")
assert new["number"] == 2 and new["result"] == "SUCCESS", new
assert new["duration"] > 0 and new["url"] == f"{url}/job/{job}/2/", new
parameters = [it for action in new["actions"] for it in action.get("parameters", [])]
assert {"name": "branch", "value": "work"} in parameters, parameters
said = server.get_build_console_output(job, 2)
assert "== test: node test.js" in said, said
report = server.get_build_test_report(job, 2)
assert (report["passCount"], report["failCount"], report["skipCount"]) == (1, 0, 0), report
assert report["suites"][0]["cases"][0]["status"] == "PASSED", report

failed = server.get_job_info(job)
print("BREAK", flush=True)
assert sys.stdin.readline() == "GO\n"

bad = built(branch="work")
assert (bad["number"], bad["result"]) == (3, "FAILURE"), bad
report = server.get_build_test_report(job, 3)
assert (report["passCount"], report["failCount"]) == (0, 1), report
case = report["suites"][0]["cases"][0]
assert case["status"] == "FAILED" and "Expected words to be whole" in case["errorDetails"], case

info = server.get_job_info(job, fetch_all_builds=True)
assert [it["number"] for it in info["builds"]] == [3, 2, 1], info
assert info["lastSuccessfulBuild"]["number"] == 2 and info["lastFailedBuild"]["number"] == 3
assert info["color"] == "red" and info["nextBuildNumber"] == 4, info
assert server.get_build_info(job, "lastSuccessfulBuild")["number"] == 2
assert server.get_queue_info() == []

try:
    server.build_job(job, {"VERSION": "1"})
except Exception as error:  # requests.HTTPError
    assert "400" in str(error), error
else:
    raise AssertionError("a parameter nobody obeys was taken")

for other in ["wrong", ""]:
    try:
        jenkins.Jenkins(url, username=user, password=other).get_whoami()
    except jenkins.JenkinsException as error:
        assert "401" in str(error) or "429" in str(error), error
    else:
        raise AssertionError("somebody came in without a token")
print(json.dumps(info["builds"]))
