// Follows what is under way: a page with `data-live` asks for itself again when the server says that there is something
// new, and every few seconds where it cannot be told. Only what has changed is touched, so that the focus, the scrolling
// and what is written in fields stay.

const POLL = 3000, LONGEST_POLL = 60000, SAY = 10000;
const main = document.querySelector("main");
const live = () => main && main.querySelector("[data-live]");

export function follow(dress) {
  if (!live()) return;
  const said = document.body.appendChild(document.createElement("p"));
  said.className = "hidden";
  said.setAttribute("role", "status");
  let source, timer, lastSaid = Date.now(), failures = 0, busy = false, again = false;

  // Now and then, and at the end: a screen reader would say nothing else otherwise.
  function say() {
    const text = main.querySelector("[data-say]");
    if (!text || said.textContent === text.textContent || (live() && Date.now() - lastSaid < SAY)) return;
    said.textContent = text.textContent;
    lastSaid = Date.now();
  }

  async function refresh() {
    if (busy) return void (again = true);
    busy = true;
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) return location.reload(); // Signed out.
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      dress(fresh);
      merge(main, fresh);
      failures = 0;
      say();
      if (!live()) stop();
    } catch {
      failures += 1;
    }
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }

  function poll() {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      await refresh();
      if (live()) poll();
    }, Math.min(POLL * 2 ** failures, LONGEST_POLL));
  }

  function start() {
    if (document.hidden || !live()) return;
    source = new EventSource(live().dataset.live);
    source.addEventListener("news", refresh);
    source.addEventListener("end", () => {
      source.close();
      refresh();
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) poll();
    });
  }

  function stop() {
    if (source) source.close();
    clearTimeout(timer);
  }

  // Nobody looks at a hidden tab, and a browser has few connections.
  document.addEventListener("visibilitychange", () => {
    stop();
    start();
  });
  addEventListener("pagehide", stop);
  start();
}

// Makes `old` what `fresh` is, in place. Children with an id are found by it, the others by their order.
export function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const ids = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...old.children]) if (child.id && !ids.has(child.id)) child.remove(); // What is moved loses focus.
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const known = child.id ? [...old.children].find((one) => one.id === child.id) : at && !at.id ? at : null;
    if (!known) {
      old.insertBefore(child, at);
      continue;
    }
    if (known === at) at = at.nextSibling;
    else old.insertBefore(known, at);
    merge(known, child);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}
