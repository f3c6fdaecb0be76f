// Adds what paper cannot do: values under the pointer, and one sample sheet at a time. The page reads without it.
for (const chart of document.querySelectorAll(".chart:has(script)")) {
  const { x: [low, high], lines } = JSON.parse(chart.querySelector("script").textContent);
  const svg = chart.querySelector("svg"), cross = chart.querySelector(".cross");
  const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
  const left = Number(chart.querySelector(".axis").getAttribute("x1"));
  const right = Number(chart.querySelector(".axis").getAttribute("x2"));
  const readout = Object.assign(document.createElement("div"), { className: "readout", hidden: true });
  chart.append(readout);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    const step = low + ((at - left) / (right - left)) * (high - low);
    if (step < low || step > high) return hide();
    cross.setAttribute("x1", at);
    cross.setAttribute("x2", at);
    cross.removeAttribute("hidden");
    readout.replaceChildren(document.createTextNode(`step ${Math.round(step).toLocaleString("en")}`));
    const slack = (high - low) / 50;
    for (const [name, style, steps, values] of lines) {
      if (step < steps[0] - slack || step > steps.at(-1) + slack) continue; // not there yet, or no longer
      let nearest = 0;
      steps.forEach((s, i) => { if (Math.abs(s - step) < Math.abs(steps[nearest] - step)) nearest = i; });
      const line = Object.assign(document.createElement("span"), { className: style });
      line.textContent = `${name} ${values[nearest].toPrecision(4)}`;
      readout.append(line);
    }
    readout.style.left = at < width / 2 ? "auto" : "4.5rem";
    readout.style.right = at < width / 2 ? "1rem" : "auto";
    readout.hidden = false;
  });
  const hide = () => { cross.setAttribute("hidden", ""); readout.hidden = true; };
  svg.addEventListener("pointerleave", hide);
}
for (const player of document.querySelectorAll("[data-player]")) {
  const sheets = [...player.querySelectorAll(".sheets figure")];
  if (sheets.length < 2) continue;
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: sheets.length - 1 });
  slider.setAttribute("aria-label", "training step");
  const show = () => sheets.forEach((sheet, index) => { sheet.hidden = index !== Number(slider.value); });
  slider.value = sheets.length - 1;
  slider.addEventListener("input", show);
  player.prepend(slider);
  player.classList.add("player");
  show();
}
