// Small plots as SVG: lines over time with the cursor's values, no library.

import { h, s } from "./dom.js";

const WIDTH = 640;
const HEIGHT = 176;
const LEFT = 44;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 22;

/** Steps of seconds between lines of the grid, as a clock has them. */
export const SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400];

/** Steps of things that are counted. */
export const COUNTS = [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6].map((zeros) => n * 10 ** zeros)).sort((one, other) => one - other);

/** The highest line of the grid, and the step between lines. */
function scaleOf(highest, steps) {
  const step = steps.find((n) => n >= highest / 3) || steps[steps.length - 1];
  return { top: Math.max(1, Math.ceil(highest / step)) * step, step };
}

/** Pieces of a curve: where nothing is known there is none. */
function pieces(points) {
  const all = [[]];
  for (const point of points) {
    if (point.y === null) all.push([]);
    else all[all.length - 1].push(point);
  }
  return all.filter((piece) => piece.length);
}

const path = (piece) => piece.map(({ x, y }, i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/**
 * A plot with its legend. `draw({at, series: [{name, label, values}]}, from, to)` shows new data;
 * times are Unix seconds. `show(value)` writes a value; `steps` are those of the
 * grid.
 */
export function plot(title, show, steps) {
  const legend = h("div", { class: "legend push" });
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", tabindex: "0", "data-focus": "plot " + title });
  const node = h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, title), legend), h("div", { class: "plot" }, drawing));
  let data = null;
  let cursor = -1;

  const x = (at) => LEFT + ((at - data.from) / (data.to - data.from)) * (data.width - LEFT - RIGHT);
  const y = (value) => TOP + (1 - value / data.top) * (HEIGHT - TOP - BOTTOM);
  const hour = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

  function showLegend() {
    const place = cursor >= 0 ? cursor : data.at.length - 1;
    legend.replaceChildren(
      cursor >= 0 ? h("span", {}, hour(data.at[place])) : "",
      ...data.series.map((one) => {
        const value = one.values[place];
        return h("span", {}, s("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, s("path", { class: `line ${one.name}`, d: "M0 4H24" })), `${one.label} ${value === null || value === undefined ? "–" : show(value)}`);
      }),
    );
  }

  function grid(step) {
    const lines = [];
    for (let value = 0; value <= data.top + step / 2; value += step) {
      lines.push(s("line", { class: value ? "grid" : "axis", x1: LEFT, x2: data.width - RIGHT, y1: y(value), y2: y(value) }), s("text", { x: LEFT - 7, y: y(value) + 4, "text-anchor": "end" }, show(value)));
    }
    const marks = data.width < 420 ? 3 : 5;
    for (let i = 0; i <= marks; i += 1) {
      const at = data.from + ((data.to - data.from) * i) / marks;
      lines.push(s("text", { x: x(at), y: HEIGHT - 6, "text-anchor": i === 0 ? "start" : i === marks ? "end" : "middle" }, hour(at)));
    }
    return lines;
  }

  function curve(one) {
    const points = data.at.map((at, i) => ({ x: x(at), y: one.values[i] === null ? null : y(one.values[i]) }));
    return pieces(points).flatMap((piece) => {
      const line = path(piece);
      const first = piece[0].x.toFixed(1);
      const last = piece[piece.length - 1].x.toFixed(1);
      return [s("path", { class: `area ${one.name}`, d: `${line}L${last} ${y(0)}L${first} ${y(0)}Z` }), s("path", { class: `line ${one.name}`, d: line })];
    });
  }

  function cross() {
    if (cursor < 0) return [];
    const at = x(data.at[cursor]);
    const known = data.series.filter((one) => one.values[cursor] !== null);
    return [s("line", { class: "cross", x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }), ...known.map((one) => s("circle", { class: `point ${one.name}`, cx: at, cy: y(one.values[cursor]), r: 4 }))];
  }

  function paint() {
    if (!data) return;
    // One unit is one pixel, so that text keeps its shape.
    data.width = Math.max(240, drawing.clientWidth || WIDTH);
    drawing.setAttribute("viewBox", `0 0 ${data.width} ${HEIGHT}`);
    const highest = Math.max(0, ...data.series.flatMap((one) => one.values).filter((value) => value !== null));
    const { top, step } = scaleOf(highest, steps);
    data.top = top;
    drawing.setAttribute("aria-label", `${title}: ` + data.series.map((one) => `${one.label} now ${show(one.values[one.values.length - 1] || 0)}, highest ${show(Math.max(0, ...one.values.filter((v) => v !== null)))}`).join("; "));
    drawing.replaceChildren(...grid(step), ...data.series.flatMap(curve), ...cross());
    showLegend();
  }

  function point(place) {
    cursor = data && data.at.length ? Math.max(-1, Math.min(place, data.at.length - 1)) : -1;
    paint();
  }
  drawing.addEventListener("pointermove", (event) => {
    if (!data || !data.at.length) return;
    const box = drawing.getBoundingClientRect();
    const at = data.from + ((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)) * (data.to - data.from);
    let nearest = 0;
    data.at.forEach((time, i) => {
      if (Math.abs(time - at) < Math.abs(data.at[nearest] - at)) nearest = i;
    });
    point(nearest);
  });
  drawing.addEventListener("pointerleave", () => point(-1));
  drawing.addEventListener("blur", () => point(-1));
  drawing.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !data || !data.at.length) return;
    event.preventDefault();
    point(cursor < 0 ? data.at.length - 1 : Math.max(0, cursor + move));
  });
  new ResizeObserver(paint).observe(drawing);

  return {
    node,
    draw(next, from, to) {
      data = { ...next, from, to, width: WIDTH, top: 1 };
      cursor = -1;
      paint();
    },
  };
}
