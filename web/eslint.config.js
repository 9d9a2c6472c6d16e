import js from '@eslint/js'
import svelte from 'eslint-plugin-svelte'
import globals from 'globals'
import ts from 'typescript-eslint'
import svelteConfig from './svelte.config.js'

// Folders from the lowest to the highest: a file imports its own folder and lower ones only.
const floors = ['theme', 'engine', 'document', 'scene', 'player', 'panels', 'lesson', 'pages']

const oneWay = floors.map((floor, i) => ({
  files: [`src/${floor}/**/*.{ts,svelte}`],
  rules: {
    'no-restricted-imports': ['error', {
      patterns: [
        ...floors.slice(i + 1).map((higher) => ({ group: [`**/${higher}/*`], message: `${floor} is below ${higher}` })),
        ...(floor === 'engine' ? [] : [{ group: ['**/generated/*'], message: 'only engine/ speaks to the wasm module: import from engine/client' }]),
      ],
    }],
  },
}))

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/engine/generated/', 'shots/', 'mock-dist/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
    rules: {
      // Names come from manifests: they are text, never markup.
      'svelte/no-at-html-tags': 'error',
      'max-lines': ['error', { max: 200 }],
      // Plain maps and sets inside of raw state and derived values are meant: they are replaced whole.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    rules: {
      'no-undef': 'off',
      eqeqeq: 'error',
      'no-restricted-properties': ['error',
        { property: 'innerHTML', message: 'text only: names come from manifests' },
        { property: 'outerHTML', message: 'text only: names come from manifests' },
        { property: 'insertAdjacentHTML', message: 'text only: names come from manifests' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  { files: ['src/**/*.ts'], rules: { 'max-lines': ['error', { max: 500, skipComments: true, skipBlankLines: true }] } },
  ...oneWay,
)
