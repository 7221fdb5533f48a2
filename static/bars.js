// Usage bars keep themselves up to date: one question for all of a page, every few seconds while it is seen.
// The answer's figures go into the elements that are there, so that focus and what is selected stay.

const EVERY = 4000;
// Where nobody answers, the next question waits longer each time, up to a minute.
const LONGEST = 60000;
const from = document.currentScript.dataset.from;
const news = document.getElementById("bar-news");
let known = ""; // the ETag of what is shown
let misses = 0;
let asking = false;
let waits;

const renewAttributes = (old, fresh) => {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
};

const renew = (old, fresh) => {
  renewAttributes(old, fresh);
  const [shown, wanted] = [[...old.childNodes], [...fresh.childNodes]];
  if (shown.length === wanted.length && shown.every((node, place) => node.nodeName === wanted[place].nodeName)) {
    shown.forEach((node, place) => {
      if (node instanceof Element) renew(node, wanted[place]);
      else if (node.data !== wanted[place].data) node.data = wanted[place].data;
    });
    return;
  }
  // Another state has other parts: whoever was at a link is at the link to the same page again.
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.replaceChildren(...wanted);
  if (focused) old.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
};

const tell = (isStale) => {
  for (const note of document.querySelectorAll(".bar-stale")) {
    note.hidden = !isStale;
    if (isStale) note.textContent = note.dataset.stale.replace("{moment}", () => note.dataset.moment);
    note.parentElement.classList.toggle("is-stale", isStale);
  }
};

const show = (text) => {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${old.dataset.live}"]`);
    if (!fresh) continue;
    const changed = fresh.dataset.state !== old.dataset.state;
    renew(old, document.adoptNode(fresh));
    // One region for all bars, which speaks only when a state has changed.
    if (changed) news.textContent = old.dataset.said;
  }
};

const ask = async () => {
  clearTimeout(waits);
  const names = new Set([...document.querySelectorAll("[data-live]")].map((part) => part.dataset.live));
  if (!names.size || document.hidden || asking) return;
  asking = true;
  try {
    const query = new URLSearchParams([...names].map((name) => ["of", name]));
    const answer = await fetch(`${from}?${query}`, {
      headers: known ? { "If-None-Match": known } : {},
      redirect: "manual",
      signal: AbortSignal.timeout(10000),
    });
    if (answer.type === "opaqueredirect") location.reload(); // the session has ended: to the sign-in page
    if (!answer.ok && answer.status !== 304) throw new Error(`${answer.status}`);
    if (answer.ok) show(await answer.text());
    known = answer.headers.get("ETag") ?? known;
    for (const note of document.querySelectorAll(".bar-stale")) note.dataset.moment = answer.headers.get("X-As-Of");
    misses = 0;
  } catch {
    misses += 1;
  }
  asking = false;
  tell(misses > 0);
  waits = setTimeout(ask, Math.min(EVERY * 2 ** Math.max(misses - 1, 0), LONGEST));
};

document.addEventListener("visibilitychange", ask);
waits = setTimeout(ask, EVERY);
