/**
 * Figures over time, drawn by uPlot. Colours are the theme's; the same figures stand in a table for those who
 * cannot see the drawing.
 */

import { LitElement, css, html, unsafeCSS } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import uPlot from "uplot";
import plotStyle from "uplot/dist/uPlot.min.css?inline";
import { locale } from "../i18n/words.js";
import { theme } from "./theme.js";

export interface Series {
  label: string;
  /** A colour of the theme, e.g. `--_good`. */
  colour: string;
  values: readonly (number | null)[];
  bars?: boolean;
}

const HEIGHT = 168;
const MOST_IN_TABLE = 48;
/** From this span on, days say more than hours. */
const DAYS_FROM_S = 2 * 86_400;

/** Where a figure has none beside it: it makes no line, so it is drawn as a point. */
function alone(values: Series["values"]): number[] {
  const is = (at: number) => typeof values[at] === "number";
  return [...values.keys()].filter((at) => is(at) && !is(at - 1) && !is(at + 1));
}

@customElement("callspool-time-plot")
export class TimePlot extends LitElement {
  static override styles = [
    theme,
    unsafeCSS(plotStyle),
    css`
      :host {
        display: block;
        min-width: 0;
      }
      figure {
        position: relative;
        margin: 0;
        padding: 14px 16px 8px;
        border: 1px solid var(--_line);
        border-radius: var(--_radius);
        background: var(--_surface);
      }
      figcaption {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 16px;
        margin-bottom: 6px;
        font-weight: 600;
      }
      figcaption span {
        display: inline-flex;
        align-items: center;
        gap: 6px;
        color: var(--_muted);
        font-size: 13px;
        font-weight: 400;
      }
      i {
        width: 10px;
        height: 10px;
        border-radius: 3px;
      }
      i[data-colour="--_good"] {
        background: var(--_good);
      }
      i[data-colour="--_bad"] {
        background: var(--_bad);
      }
      i[data-colour="--_accent"] {
        background: var(--_accent);
      }
      i[data-colour="--_wait"] {
        background: var(--_wait);
      }
      .plot {
        direction: ltr;
        height: ${HEIGHT}px;
        overflow: hidden;
      }
      .uplot {
        font-family: inherit;
      }
    `,
  ];

  @property() heading = "";
  /** Seconds since 1970, ascending. */
  @property({ attribute: false }) times: readonly number[] = [];
  @property({ attribute: false }) series: readonly Series[] = [];
  /** How a value is written. */
  @property({ attribute: false }) format: (value: number) => string = (value) => value.toLocaleString(locale());

  @query(".plot") private place!: HTMLElement;

  #plot: uPlot | null = null;
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  readonly #resized = new ResizeObserver(() => this.#fit());
  readonly #again = () => this.#draw();

  override connectedCallback(): void {
    super.connectedCallback();
    this.#scheme.addEventListener("change", this.#again);
    this.#resized.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#scheme.removeEventListener("change", this.#again);
    this.#resized.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  protected override updated(): void {
    this.#draw();
  }

  #fit(): void {
    const width = this.place?.clientWidth ?? 0;
    if (width > 0) this.#plot?.setSize({ width, height: HEIGHT });
  }

  #draw(): void {
    const width = this.place?.clientWidth ?? 0;
    if (width === 0) return;
    this.#plot?.destroy();
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--_muted"), grid: { stroke: colour("--_line"), width: 1 }, ticks: { show: false } };
    const font = `12px ${style.fontFamily}`;
    const [first, second] = this.times;
    const half = first !== undefined && second !== undefined ? (second - first) / 2 : 0;
    const isLong = (this.times.at(-1) ?? 0) - (first ?? 0) > DAYS_FROM_S;
    const time = new Intl.DateTimeFormat(locale(), isLong ? { month: "short", day: "numeric" } : { timeStyle: "short" });
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { show: false } },
        padding: [8, 8, 0, 0],
        scales: { x: { range: (_, first, last) => [first - half, last + half] }, y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] } },
        axes: [
          { ...axis, font, size: 28, grid: { show: false }, values: (_, ticks) => ticks.map((tick) => time.format(tick * 1000)) },
          { ...axis, font, size: 56, values: (_, ticks) => ticks.map((tick) => this.format(tick)) },
        ],
        series: [
          {},
          ...this.series.map((one) => ({
            label: one.label,
            stroke: colour(one.colour),
            width: 2,
            points: { show: !one.bars, size: 8, fill: colour(one.colour), filter: () => alone(one.values) },
            ...(one.bars ? { fill: colour(one.colour), paths: uPlot.paths.bars!({ size: [0.7, 24], radius: 0.2 }) } : {}),
          })),
        ],
      },
      [[...this.times], ...this.series.map((one) => [...one.values])] as uPlot.AlignedData,
      this.place,
    );
  }

  protected override render() {
    const from = Math.max(0, this.times.length - MOST_IN_TABLE);
    const at = new Intl.DateTimeFormat(locale(), { dateStyle: "short", timeStyle: "short" });
    return html`
      <figure>
        <figcaption>
          ${this.heading}
          ${this.series.map((one) => html`<span><i data-colour=${one.colour} aria-hidden="true"></i>${one.label}</span>`)}
        </figcaption>
        <div class="plot" aria-hidden="true"></div>
        <div class="visually-hidden"><table>
          <caption>${this.heading}</caption>
          <tbody>
            ${this.times.slice(from).map(
              (second, index) => html`
                <tr>
                  <th scope="row">${at.format(second * 1000)}</th>
                  ${this.series.map((one) => {
                    const value = one.values[from + index] ?? null;
                    return html`<td>${one.label}: ${value === null ? "–" : this.format(value)}</td>`;
                  })}
                </tr>
              `,
            )}
          </tbody>
        </table></div>
      </figure>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-time-plot": TimePlot;
  }
}
