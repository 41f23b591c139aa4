// What each page has beyond its forms and links: copying, keys, the reader's own time, dropped files, progress.
import { follow, merge } from "./live.js";

// Prepares what has just come: copying, where the browser lets pages do so, and the reader's own time.
function dress(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}
// A page that was fetched ahead is shown for a moment only before it is asked for anew.
const FRESH = 15000;
const made = document.querySelector("meta[name=made]");
const [arrival] = performance.getEntriesByType("navigation");
if (made && arrival?.deliveryType === "navigational-prefetch" && Date.now() - made.content > FRESH) location.reload();

dress(document);
follow(dress);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
});

// How many there are, as it is typed; that costs nothing.
const counting = document.querySelector("form[data-counts]");
let typed = 0;
counting?.addEventListener("input", async () => {
  const turn = ++typed;
  await new Promise((done) => setTimeout(done, 250));
  if (turn !== typed) return;
  const filled = [...new FormData(counting)].filter(([, value]) => value);
  const address = `${location.pathname}?${new URLSearchParams(filled)}`;
  try {
    const answer = await fetch(address);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#found");
    if (turn !== typed || !found) return;
    merge(document.querySelector("#found"), found);
    history.replaceState(null, "", address);
  } catch {
    // The button below the fields is left.
  }
});

// A file that is dropped on a form is as if it was chosen.
for (const form of document.querySelectorAll("[data-drop]")) {
  const field = form.querySelector("input[type=file]");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(kind, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop") field.files = event.dataTransfer.files;
    });
  }
}

document.addEventListener("submit", (event) => {
  const { question, sure } = event.target.elements;
  if (!question || sure) return;
  if (!confirm(question.value)) event.preventDefault();
  else event.target.addEventListener("formdata", ({ formData }) => formData.set("sure", "yes"), { once: true });
});

// `g` and a letter goes to a page, `/` to the first field, as where people work by keyboard.
let going = 0;
document.addEventListener("keydown", (event) => {
  if ("noShortcuts" in document.body.dataset) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "/") {
    const field = document.querySelector("main input:not([type=hidden]), main textarea");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "g") {
    going = Date.now();
  } else if (Date.now() - going < 1500) {
    const link = document.querySelector(`.side a[data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  }
});
