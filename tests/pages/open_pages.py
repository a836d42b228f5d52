"""Opens pages of `tallow report` in a headless browser and checks what a reader would notice.

Usage: open_pages.py TALLOW DIRECTORY [PAGE.html ...]

Without pages it makes some from the demo data. Each is opened at 400 and 1600 pixels, light and
dark. Checked: no request but for the page itself, nothing on the console, no horizontal overflow,
contrast of all text, size of text, labels of charts that overlap. Screenshots go to DIRECTORY.
Only the standard library and a Chromium are needed. Exits with 77 if there is no browser.
"""

import base64
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
WIDTHS = [400, 1600]
SCHEMES = ["light", "dark"]
MIN_CONTRAST = 4.5
MIN_TEXT_PIXELS = 11
MAX_BYTES = 200_000

CHECK = r"""
(() => {
  const problems = [];
  const rgb = text => (text.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const page = rgb(getComputedStyle(document.body).backgroundColor);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return page;
  };
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll('body *')]
      .filter(e => !e.closest('.scroll, svg') && e.getBoundingClientRect().right > innerWidth + 1)
      .map(e => e.tagName + '.' + e.className).slice(0, 5);
    problems.push(`scrolls sideways: ${root.scrollWidth} > ${innerWidth} (${wide})`);
  }
  let texts = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || ['TITLE', 'STYLE', 'title'].includes(element.tagName)) continue;
    if (element.closest('.skip, details:not([open]) > :not(summary)')) continue;
    const style = getComputedStyle(element);
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const rect = range.getBoundingClientRect();
    if (style.visibility === 'hidden' || rect.width === 0) continue;
    texts += 1;
    const inSvg = element.closest('svg') !== null;
    const ratio = contrast(rgb(inSvg ? style.fill : style.color), behind(element));
    if (ratio < MIN_CONTRAST) problems.push(`contrast ${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
    const size = parseFloat(style.fontSize);
    if (size < MIN_TEXT) problems.push(`${size} px: ${text.slice(0, 40)}`);
    if (!element.closest('.scroll') && (rect.left < -1 || rect.right > innerWidth + 1))
      problems.push(`off the screen: ${text.slice(0, 40)}`);
  }
  for (const svg of document.querySelectorAll('svg[role=img]')) {
    const labels = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
    const rects = labels.map(t => t.getBoundingClientRect())
      .map(r => [r.left, r.top, r.right, r.bottom]);
    for (let i = 0; i < rects.length; i++) for (let j = i + 1; j < rects.length; j++) {
      const [a, b] = [rects[i], rects[j]];
      const wide = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
      const high = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
      if (wide > 1 && high > 3)
        problems.push(`labels overlap: ${labels[i].textContent} / ${labels[j].textContent}`);
    }
    if (!svg.getAttribute('aria-label') && svg.getAttribute('aria-hidden') === null
        && !svg.closest('td'))
      problems.push('a chart without a sentence');
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const link of document.querySelectorAll('nav a'))
    if (!ids.includes(link.hash.slice(1))) problems.push(`a link to nowhere: ${link.hash}`);
  if (texts < 20) problems.push(`only ${texts} texts`);
  return {problems: [...new Set(problems)].slice(0, 20), texts, height: root.scrollHeight};
})()
""".replace("MIN_CONTRAST", str(MIN_CONTRAST)).replace("MIN_TEXT", str(MIN_TEXT_PIXELS))


class Browser:
    """A Chromium that is spoken to through pipes: commands on descriptor 3, answers on 4."""

    def __init__(self, program, profile):
        command_read, self.command = os.pipe()
        self.answers, answer_write = os.pipe()

        def place():
            os.dup2(command_read, 3)
            os.dup2(answer_write, 4)

        # Descriptors that are 3 or 4 already must not be overwritten before they are duplicated.
        command_read, answer_write = (self._above(fd) for fd in (command_read, answer_write))
        flags = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
                 "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={profile}"]
        self.process = subprocess.Popen(
            [program, *flags, "about:blank"], preexec_fn=place, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(command_read)
        os.close(answer_write)
        self.buffer = b""
        self.count = 0
        self.events = []

    @staticmethod
    def _above(descriptor):
        import fcntl
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
        os.close(descriptor)
        return moved

    def _message(self):
        while b"\0" not in self.buffer:
            part = os.read(self.answers, 1 << 16)
            if not part:
                raise RuntimeError("the browser ended")
            self.buffer += part
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        text = json.dumps(message).encode() + b"\0"
        while text:
            text = text[os.write(self.command, text):]
        while True:
            answer = self._message()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while True:
            for index, event in enumerate(self.events):
                if event.get("method") == method:
                    del self.events[index]
                    return
            self.events.append(self._message())

    def close(self):
        self.process.terminate()
        self.process.wait(20)


def open_page(browser, path, width, scheme, picture):
    """Opens a page once; gives what is wrong with it."""
    browser.events.clear()
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ["Page", "Runtime", "Network", "Log"]:
        browser.call(f"{domain}.enable", session)
    browser.call("Emulation.setDeviceMetricsOverride", session, width=width, height=900,
                 deviceScaleFactor=1, mobile=width < 600)
    browser.call("Emulation.setEmulatedMedia", session,
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
    url = path.resolve().as_uri()
    browser.call("Page.navigate", session, url=url)
    browser.wait("Page.loadEventFired")
    answer = browser.call("Runtime.evaluate", session, expression=CHECK, returnByValue=True)
    if "exceptionDetails" in answer:
        raise RuntimeError(str(answer["exceptionDetails"]))
    found = answer["result"]["value"]
    problems = found["problems"]
    clip = {"x": 0, "y": 0, "width": width, "height": min(found["height"], 12_000), "scale": 1}
    image = browser.call("Page.captureScreenshot", session, format="png", clip=clip,
                         captureBeyondViewport=True)
    picture.write_bytes(base64.b64decode(image["data"]))
    for event in browser.events:
        method, params = event.get("method", ""), event.get("params", {})
        if method == "Network.requestWillBeSent" and params["request"]["url"] != url:
            problems.append(f"request to {params['request']['url']}")
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            problems.append(f"console: {json.dumps(params)[:300]}")
    browser.call("Target.closeTarget", targetId=target)
    return problems


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def make_pages(tallow, directory):
    """Pages of the demo data: one run, all kinds of reports, many nights, hostile names."""
    data = pathlib.Path(__file__).resolve().parents[2] / "data" / "demo"

    def run(*arguments):
        done = subprocess.run([tallow, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode not in (0, 5):
            sys.exit(f"tallow {' '.join(map(str, arguments))}\n{done.stderr}")

    at = directory.joinpath
    model, customers = data / "churn", data / "customers.parquet"
    scored = at("scored.parquet")
    run("score", "--model", model, customers, "--output", scored, "--price-per-hour", "0.40 USD")
    run("report", scored, "--output", at("run.html"))
    with open(data / "customers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    write(at("before.csv"), rows)
    for index, row in enumerate(rows):
        if row["monthly_charge"]:
            row["monthly_charge"] = f"{float(row['monthly_charge']) * 1.3:.2f}"
        if index % 3 == 0:
            row["total_charge"] = ""
        if index % 9 == 0:
            row["payment_method"] = "<script>alert(1)</script>"
    write(at("changed.csv"), rows)
    run("drift", at("before.csv"), at("changed.csv"), "--output", at("drift.pq"))
    run("evaluate", scored, "--label", "churned", "--labels", data / "outcomes.csv", "--key",
        "customer_id", "--by", "region", "--positive", "1", "--output", at("evaluation.pq"))
    run("report", scored, at("drift.pq"), at("evaluation.pq"), "--output", at("all.html"))
    name = '<img src=x onerror=alert(1)>"&\u202e' + "long_name_" * 12
    hostile = [f'"{name.replace(chr(34), chr(34) * 2)}",</style>,empty']
    lines = [f"{index % 7},{index % 3},\n" for index in range(500)]
    at("hostile.csv").write_text(hostile[0] + "\n" + "".join(lines))
    lines = [f"{index % 7 + 3},x{index % 3},\n" for index in range(500)]
    at("hostile_now.csv").write_text(hostile[0] + "\n" + "".join(lines))
    run("drift", at("hostile.csv"), at("hostile_now.csv"), "--output", at("hostile.pq"))
    run("report", at("hostile.pq"), "--output", at("hostile.html"))
    return [at(name) for name in ["run.html", "all.html", "hostile.html"]]


def main():
    tallow, directory, pages = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    program = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if program is None:
        print("no Chromium in PATH", file=sys.stderr)
        sys.exit(77)
    directory.mkdir(parents=True, exist_ok=True)
    pages = [pathlib.Path(page) for page in pages] or make_pages(tallow, directory)
    bad = 0
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            for page in pages:
                size = page.stat().st_size
                if size > MAX_BYTES:
                    bad += 1
                    print(f"{page.name}: {size} bytes")
                for width in WIDTHS:
                    for scheme in SCHEMES:
                        picture = directory / f"{page.stem}_{width}_{scheme}.png"
                        problems = open_page(browser, page, width, scheme, picture)
                        bad += len(problems)
                        for problem in problems:
                            print(f"{page.name} at {width} px, {scheme}: {problem}")
        finally:
            browser.close()
    print(f"{len(pages)} pages opened at {WIDTHS} px, light and dark; {bad} problems")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
