"""The style sheet of every page."""

__all__ = ["STYLE"]

STYLE = """
<style>
.stMainBlockContainer { padding-top: 2.6rem; padding-bottom: 3rem; max-width: 1500px; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {
  color: inherit; opacity: 1; }
[data-testid="stCaptionContainer"] { color: color-mix(in srgb, currentColor 78%, transparent); }
.picture { display: block; width: 100%; aspect-ratio: 1; object-fit: contain;
  image-rendering: pixelated; border-radius: 4px; background: #05070a; }
.drawing { display: block; width: 100%; height: auto; max-width: 25rem; }
.nothing { display: flex; align-items: center; justify-content: center; text-align: center;
  width: 100%; aspect-ratio: 1; border-radius: 4px; font-size: .8rem; opacity: .65;
  border: 1px dashed color-mix(in srgb, currentColor 30%, transparent); }
.nothing.wide { aspect-ratio: 280 / 116; }
.key { display: flex; flex-wrap: wrap; gap: 0 1rem; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .8rem; }
.legend i { display: inline-block; width: 1.1rem; height: 0; margin-right: .35rem;
  vertical-align: middle; border-top: 2px solid; }
.legend > span { opacity: .85; }
.legend i.upright { width: 0; height: .9rem; margin: 0 .45rem 0 .2rem; border-top: 0;
  border-left: 2px solid; }
.legend i.dot { width: .5rem; height: .5rem; border: 0; border-radius: 50%; }
.legend i.shade { width: .9rem; height: .7rem; border: 0; border-radius: 2px; }
.st-key-files_open { padding-top: .2rem; }
.st-key-same_source button { justify-content: flex-start; padding: 0; min-height: 1.6rem; }
.st-key-same_source button p { font-size: .8rem; text-align: left; }
@media (max-width: 640px) { .st-key-query_card .picture { max-width: 220px; }
  .st-key-headline > :first-child { flex: 1 1 100% !important; } }
@media (min-width: 900px) { .st-key-query_card { position: sticky; top: 3.8rem;
  max-height: calc(100vh - 4.6rem); overflow-y: auto; }
  .st-key-query_card:has([data-title="Close fullscreen"]) { z-index: 1000050; }
  [data-testid="stColumn"]:has(.st-key-query_card) > div { height: 100%; } }
.hit { display: flex; flex-direction: column; gap: .3rem; font-size: .84rem; line-height: 1.3; }
.hit-head, .hit-foot { display: flex; align-items: baseline; justify-content: space-between;
  gap: .4rem; }
.hit-rank { font-weight: 600; }
.hit-percentile { font-variant-numeric: tabular-nums; cursor: help; white-space: nowrap; }
.hit-release { font-size: .76rem; opacity: .7; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.hit-key { font-family: "Source Code Pro", ui-monospace, monospace; font-size: .76rem;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.hit-facts { min-height: 1.1rem; opacity: .8; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.hit details { font-size: .76rem; }
.hit summary { cursor: pointer; opacity: .8; }
.folded { font-size: .76rem; opacity: .8; cursor: help; }
.bridge { font-size: .72rem; padding: .05rem .4rem; border-radius: 999px; cursor: help;
  white-space: nowrap; background: color-mix(in srgb, currentColor 9%, transparent); }
.bridge.linked { background: color-mix(in srgb, #1f9d6b 20%, transparent); }
.bridge.aligned { background: color-mix(in srgb, #8b5cf6 22%, transparent); }
.via { flex: 1; min-width: 0; font-size: .7rem; opacity: .7; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.links { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .84rem; }
.links a { color: inherit; text-decoration: underline; text-underline-offset: 2px; }
.hit a.source { font-size: .76rem; white-space: nowrap; color: inherit; opacity: .8;
  text-decoration: underline; text-underline-offset: 2px; }
.stHtml dl.notes { margin: 0; padding: 0; font-size: .8rem; line-height: 1.35; }
.notes dt { opacity: .65; }
.notes dd { margin: 0 0 .35rem 0; overflow-wrap: anywhere; }
.releases { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .84rem; }
.stHtml dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .8rem;
  margin: 0; padding: 0; font-size: .86rem; }
.facts dt { opacity: .65; }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.verdict { --tone: #8a929c; font-size: .84rem; line-height: 1.35; padding: .5rem .65rem;
  border-radius: 6px; border-left: 4px solid var(--tone);
  background: color-mix(in srgb, var(--tone) 11%, transparent); }
.verdict.in { --tone: #1f9d6b; }
.verdict.unusual { --tone: #c98a10; }
.verdict.out { --tone: #d64545; }
.verdict-head { display: flex; align-items: center; gap: .45rem; font-weight: 650; }
.verdict-mark { flex: none; display: inline-flex; align-items: center; justify-content: center;
  width: 1.15rem; height: 1.15rem; border-radius: 50%; font-size: .74rem; font-weight: 700;
  border: 2px solid var(--tone); }
.gauge { position: relative; display: flex; gap: 2px; height: 6px; margin: .6rem 0 0; }
.gauge span { border-radius: 2px; opacity: .75; }
.gauge .in { background: #1f9d6b; }
.gauge .unusual { background: #c98a10; }
.gauge .out { background: #d64545; }
.gauge i { position: absolute; top: -4px; width: 4px; height: 14px; margin-left: -2px;
  border-radius: 2px; background: currentColor; }
.gauge-ticks { position: relative; height: 1rem; margin-bottom: .25rem; font-size: .68rem;
  font-variant-numeric: tabular-nums; opacity: .75; }
.gauge-ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.gauge-ticks span:first-child { transform: none; }
.stHtml table.properties { width: 100%; margin: 0; border-collapse: collapse; font-size: .86rem;
  line-height: 1.3; font-variant-numeric: tabular-nums; }
.properties th, .properties td { padding: .32rem .7rem .32rem 0; text-align: left;
  vertical-align: top; border: 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.properties thead th { font-size: .76rem; font-weight: 500; opacity: .7; }
.properties tbody th { font-weight: 500; }
.properties td.estimate { font-weight: 650; }
.properties small { display: block; font-size: .74rem; font-weight: 400; opacity: .7; }
.properties tr.none td.estimate { font-weight: 400; font-style: italic; opacity: .8; }
@media (max-width: 640px) {
  .properties thead { display: none; }
  .properties, .properties tbody { display: block; }
  .properties tr { display: grid; grid-template-columns: 1fr 1fr; gap: .1rem .8rem;
    padding: .45rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
  .properties th, .properties td { border: 0; padding: 0; }
  .properties tr.none td.reason, .properties td.neighbours { grid-column: 1 / -1; }
  .properties td.neighbours { font-size: .78rem; opacity: .8; }
  .properties td.neighbours small { display: inline; font-size: inherit; opacity: 1; }
  .properties td.neighbours small::before { content: ", "; }
  .properties td:empty { display: none; }
  .properties td[data-label]::before { content: attr(data-label); display: block;
    font-size: .72rem; font-weight: 400; opacity: .65; }
}
.wide { overflow-x: auto; }
.stHtml table.plain { margin: 0; border-collapse: collapse; font-size: .84rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
.plain caption { caption-side: top; text-align: left; font-size: .8rem; opacity: .75;
  padding-bottom: .2rem; }
.plain th, .plain td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top;
  border: 0; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.plain thead th { font-weight: 500; opacity: .7; }
.shares { font-size: .86rem; line-height: 1.3; }
.shares-title { font-size: .8rem; opacity: .75; margin-bottom: .25rem; }
.stHtml .shares ul { list-style: none; margin: 0 0 .8rem; padding: 0; }
.stHtml .shares li { display: grid; grid-template-columns: minmax(5rem, 9rem) 1fr 3.2rem;
  gap: .6rem; align-items: center; margin: 0; padding: .12rem 0; font-size: .86rem; }
.shares li span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.shares li b { font-weight: 500; text-align: right; font-variant-numeric: tabular-nums; }
.shares .bar { height: .7rem; border-radius: 3px;
  background: color-mix(in srgb, currentColor 9%, transparent); }
.shares .bar i { display: block; height: 100%; border-radius: 3px; background: #2f7fd1; }
</style>
"""
"""Colours are mixed from the text's own, so that one sheet serves the light and the dark theme.
What sticks is a layer of its own: a figure that fills the screen must lift the card it is in."""
