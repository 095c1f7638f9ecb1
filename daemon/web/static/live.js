// Makes the page live: hears that something changed, fetches the page anew, puts its parts in place.
// Without this module every page works the same, only not by itself.

const PARTS = ["frame", "main", "foot"];
const RETRY_MS = 5000;
const APART_MS = 1000 * Number(document.body.dataset.apart);

const line = () => document.getElementById("line");
const lost = document.getElementById("lost");
const clock = { server: Number(document.body.dataset.now), here: performance.now() };
const measured = { fresh: Number(document.body.dataset.fresh), poll: Number(document.body.dataset.poll) };
let connected = false;
let dropped = null;
let fetching = false;
let again = false;
let last = 0;

const now = () => clock.server + (performance.now() - clock.here) / 1000;

function zone() {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!name || document.cookie.split("; ").includes(`fleetmend_zone=${name}`)) return false;
  document.cookie = `fleetmend_zone=${name}; path=/; max-age=31536000; samesite=strict`;
  return true;
}

function length(seconds) {
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min`;
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

function count() {
  const at = now();
  for (const node of document.querySelectorAll("time[data-until]")) {
    const left = Number(node.dataset.until) - at;
    node.textContent = left >= 1 ? `in ${length(left)}` : "now";
  }
  for (const node of document.querySelectorAll("time[data-since]")) {
    const passed = at - Number(node.dataset.since);
    node.textContent = passed >= 1 ? `${length(passed)} ago` : "now";
  }
  tell(at);
}

function tell(at) {
  const age = at - measured.fresh;
  const old = measured.fresh > 0 && age > Math.max(2 * measured.poll, 5);
  let text = "";
  if (dropped !== null) text = `Connection lost ${length((performance.now() - dropped) / 1000)} ago, retrying. What you see is from then.`;
  else if (old) text = `Nothing new for ${length(age)}: what you see is old.`;
  lost.hidden = text === "";
  if (lost.textContent !== text) lost.textContent = text;
  const state = connected ? "Live." : "Connecting.";
  if (line() && line().textContent !== state) line().textContent = state;
}

// What a person has opened, typed and reached stays as it was.
function keep(root) {
  const open = [...root.querySelectorAll("details[id][open]")].map((node) => node.id);
  const typed = [...root.querySelectorAll("input[id], textarea[id], select[id]")].map((node) => [node.id, node.value]);
  const scrolled = [...root.querySelectorAll(".scroll, .output")].map((node) => node.scrollLeft);
  const active = document.activeElement;
  const focus = active && root.contains(active) ? reach(active) : null;
  const caret = focus && "selectionStart" in active ? [active.selectionStart, active.selectionEnd] : null;
  return () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, value] of typed) {
      const node = document.getElementById(id);
      if (node && node.value !== value) node.value = value;
    }
    root.querySelectorAll(".scroll, .output").forEach((node, index) => { node.scrollLeft = scrolled[index] ?? 0; });
    const node = focus && focus();
    if (node) {
      node.focus({ preventScroll: true });
      if (caret && caret[0] !== null) node.setSelectionRange?.(caret[0], caret[1]);
    }
  };
}

function reach(node) {
  if (node.id) return () => document.getElementById(node.id);
  const owner = node.closest("details[id]");
  if (owner && node.tagName === "SUMMARY") return () => document.querySelector(`#${CSS.escape(owner.id)} > summary`);
  if (owner && node.tagName === "BUTTON") return () => document.querySelector(`#${CSS.escape(owner.id)} button`);
  const href = node.getAttribute("href");
  return href ? () => document.querySelector(`main a[href="${CSS.escape(href)}"], #frame a[href="${CSS.escape(href)}"]`) : () => null;
}

async function refresh() {
  if (fetching) { again = true; return; }
  fetching = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.assign("/login"); return; }
    if (!answer.ok) return;
    const text = await answer.text();
    if (selecting()) { again = true; return; }
    put(new DOMParser().parseFromString(text, "text/html"));
  } catch {
    // The stream notices a lost connection and says so.
  } finally {
    fetching = false;
    last = performance.now();
    if (again) setTimeout(refresh, APART_MS);
  }
}

function selecting() {
  const chosen = document.getSelection();
  return chosen !== null && !chosen.isCollapsed && document.getElementById("main").contains(chosen.anchorNode);
}

function put(fresh) {
  clock.server = Number(fresh.body.dataset.now);
  clock.here = performance.now();
  measured.fresh = Number(fresh.body.dataset.fresh);
  measured.poll = Number(fresh.body.dataset.poll);
  if (document.title !== fresh.title) document.title = fresh.title;
  for (const id of PARTS) {
    const here = document.getElementById(id);
    const there = fresh.getElementById(id);
    if (!here || !there || here.innerHTML === there.innerHTML) continue;
    const restore = keep(here);
    here.replaceChildren(...there.childNodes);
    restore();
  }
  count();
}

function listen() {
  const stream = new EventSource("/events");
  stream.addEventListener("open", () => { connected = true; dropped = null; count(); });
  stream.addEventListener("change", () => {
    const wait = Math.max(0, last + APART_MS - performance.now());
    setTimeout(refresh, wait);
  });
  stream.addEventListener("error", () => {
    connected = false;
    dropped ??= performance.now();
    count();
    if (stream.readyState === EventSource.CLOSED) {
      refresh(); // finds out whether the login is over
      setTimeout(listen, RETRY_MS);
    }
  });
}

if (document.getElementById("frame")) {
  if (zone()) refresh();
  listen();
  setInterval(count, 1000);
  count();
}
