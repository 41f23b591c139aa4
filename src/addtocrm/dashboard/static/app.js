// What each page has beyond its forms and links: copying, keys, the reader's own time, progress.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
}

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  time.title = time.textContent;
  time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// `g` and a letter goes to a page, `/` to the first field, as where people work by keyboard.
let going = 0;
document.addEventListener("keydown", (event) => {
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

// What is under way is shown anew until it is done.
const live = () => document.querySelector("#live[data-refresh]");
async function refresh() {
  const answer = await fetch(location.href);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#live");
  if (answer.redirected) location.reload();
  if (answer.ok && fresh) live().replaceWith(fresh);
  if (live()) setTimeout(refresh, Number(live().dataset.refresh));
  else location.reload();
}
if (live()) setTimeout(refresh, Number(live().dataset.refresh));
