// The YAML editor: CodeMirror without a history of its own (the document has the one), in a shadow root so that its
// style sheets are adopted and not written into the page, which the CSP forbids.
import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { forceLinting, lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search'
import { EditorState, StateEffect, StateField } from '@codemirror/state'
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers, WidgetType, type DecorationSet } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import type { DiagnosticView } from '../engine/client'
import { smallestChange } from '../document/files'

/** The line that the selected hop was decided by. */
export interface UsedLine {
  line: number
  label: string
}

class UsedBy extends WidgetType {
  constructor(private readonly label: string) {
    super()
  }
  override eq(other: UsedBy) {
    return other.label === this.label
  }
  toDOM() {
    const span = document.createElement('span')
    span.className = 'used-by'
    span.textContent = this.label
    return span
  }
}

const setUsed = StateEffect.define<UsedLine | null>()
const used = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let next = marks.map(transaction.changes)
    for (const effect of transaction.effects) {
      if (!effect.is(setUsed)) continue
      const at = effect.value
      next = Decoration.none
      if (at && at.line >= 1 && at.line <= transaction.state.doc.lines) {
        const line = transaction.state.doc.line(at.line)
        next = Decoration.set([Decoration.line({ class: 'used' }).range(line.from), Decoration.widget({ widget: new UsedBy(at.label), side: 1 }).range(line.to)])
      }
    }
    return next
  },
  provide: (field) => EditorView.decorations.from(field),
})

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--code-key)' },
  { tag: [tags.string, tags.content, tags.special(tags.string)], color: 'var(--code-str)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.labelName, tags.typeName], color: 'var(--code-num)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--code-com)' },
  { tag: [tags.separator, tags.punctuation, tags.meta], color: 'var(--ink-3)' },
])

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--surface)', color: 'var(--ink)', fontSize: '12px' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', fontVariantLigatures: 'none', fontFeatureSettings: '"zero" 1', lineHeight: '18px', scrollbarWidth: 'thin' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '5px 0' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--ink-3)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLineGutter': { color: 'var(--ink)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)', borderLeftWidth: '2px' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { backgroundColor: 'var(--accent-soft)' },
  '.cm-selectionMatch': { backgroundColor: 'var(--sunken)' },
  '.used': { backgroundColor: 'var(--code-mark)', boxShadow: 'inset 3px 0 0 var(--req)' },
  '.used-by': { float: 'right', marginRight: '10px', font: '600 11px/16px var(--font-ui)', color: 'var(--req)', backgroundColor: 'var(--raised)', borderRadius: '4px', padding: '0 6px' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--ink)', border: '1px solid var(--line-strong)', borderRadius: '8px', boxShadow: 'var(--shade)', font: '13px/18px var(--font-ui)', maxWidth: '460px', overflow: 'hidden' },
  '.cm-diagnostic': { padding: '6px 10px', whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--deny)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
  '.cm-diagnostic-info': { borderLeftColor: 'var(--line-strong)' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--deny)', textUnderlineOffset: '3px', textDecorationSkipInk: 'none' },
  '.cm-lintRange-warning': { backgroundImage: 'none', textDecoration: 'underline wavy var(--warn)', textUnderlineOffset: '3px', textDecorationSkipInk: 'none' },
  '.cm-lintRange-info': { backgroundImage: 'none', textDecoration: 'underline dotted var(--ink-3)', textUnderlineOffset: '3px' },
  '.cm-lint-marker': { width: '10px', height: '10px', margin: '4px 2px' },
  '.cm-lint-marker-error, .cm-lint-marker-warning, .cm-lint-marker-info': { content: '""' },
  '.cm-lint-marker-error': { backgroundColor: 'var(--deny)', borderRadius: '2px' },
  '.cm-lint-marker-warning': { backgroundColor: 'var(--warn)', clipPath: 'polygon(50% 0, 100% 100%, 0 100%)' },
  '.cm-lint-marker-info': { backgroundColor: 'var(--ink-3)', borderRadius: '50%' },
  '.cm-panels': { backgroundColor: 'var(--surface)', color: 'var(--ink)', borderColor: 'var(--line)', font: '13px/18px var(--font-ui)' },
  '.cm-textfield, .cm-button': { backgroundColor: 'var(--raised)', backgroundImage: 'none', color: 'var(--ink)', border: '1px solid var(--line-strong)', borderRadius: '4px' },
  '.cm-specialChar': { color: 'var(--deny)' },
})

export interface EditorHooks {
  onedit: (text: string) => void
  onundo: () => void
  onredo: () => void
}

export class YamlEditor {
  #view: EditorView
  #quiet = false

  constructor(host: HTMLElement, label: string, hooks: EditorHooks) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
    const run = (action: () => void) => () => {
      action()
      return true
    }
    this.#view = new EditorView({
      parent: root,
      root,
      state: EditorState.create({
        extensions: [
          lineNumbers(), lintGutter(), highlightSpecialChars(), drawSelection(), highlightActiveLine(), bracketMatching(), indentOnInput(), indentUnit.of('  '),
          highlightSelectionMatches(), search({ top: true }), yaml(), syntaxHighlighting(colours), used, look, EditorState.tabSize.of(2),
          EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off' }),
          keymap.of([
            { key: 'Mod-z', run: run(hooks.onundo), preventDefault: true },
            { key: 'Mod-Shift-z', run: run(hooks.onredo), preventDefault: true },
            { key: 'Mod-y', run: run(hooks.onredo), preventDefault: true },
            ...searchKeymap, ...lintKeymap, ...defaultKeymap, indentWithTab,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !this.#quiet) hooks.onedit(update.state.doc.toString())
          }),
        ],
      }),
    })
  }

  /** Shows a text; the smallest change is made, so that cursor and scroll stay. `fresh`: it is another file. */
  show(text: string, fresh: boolean) {
    const change = smallestChange(this.#view.state.doc.toString(), text)
    if (!change) return
    this.#quiet = true
    this.#view.dispatch({ changes: change, ...(fresh ? { selection: { anchor: 0 }, scrollIntoView: true } : {}) })
    this.#quiet = false
  }
  mark(line: UsedLine | null) {
    this.#view.dispatch({ effects: setUsed.of(line) })
  }
  diagnose(views: readonly DiagnosticView[]) {
    this.#view.dispatch(setDiagnostics(this.#view.state, views.map((view) => this.#diagnostic(view))))
    forceLinting(this.#view)
  }
  goTo(line: number) {
    const { doc } = this.#view.state
    const at = doc.line(Math.max(1, Math.min(line, doc.lines)))
    this.#view.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: 'center' }) })
    this.#view.focus()
  }
  focus() {
    this.#view.focus()
  }
  close() {
    this.#view.destroy()
  }

  #diagnostic(view: DiagnosticView): Diagnostic {
    const from = this.#offset(view.line, view.column)
    const severity = view.severity === 'error' ? 'error' : view.severity === 'warning' ? 'warning' : 'info'
    return { from, to: Math.max(from, this.#offset(view.endLine, view.endColumn)), severity, source: view.code, message: view.help === undefined ? view.message : `${view.message}\n${view.help}` }
  }
  /** Columns count characters from 1; the editor counts UTF-16 units from 0. */
  #offset(line: number, column: number): number {
    const { doc } = this.#view.state
    if (line > doc.lines) return doc.length
    const at = doc.line(Math.max(1, line))
    const units = [...at.text].slice(0, Math.max(0, column - 1)).join('').length
    return at.from + units
  }
}
