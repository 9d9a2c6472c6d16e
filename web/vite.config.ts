import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// `--mode mock` draws a fixed world from tests/, to work on the look without the engine. What is built in this mode
// goes to mock-dist, which nothing embeds.
export default defineConfig(({ mode }) => {
  const mock = mode === 'mock'
  return {
    base: '/',
    plugins: [svelte()],
    resolve: {
      alias: mock
        ? [
            { find: /.*\/generated\/hoplab_bindings\.js$/, replacement: here('./tests/mock/engine.ts') },
            { find: /.*\/generated\/hoplab_bindings_bg\.wasm\?url$/, replacement: here('./tests/mock/wasm-url.ts') },
          ]
        : [],
      conditions: process.env.VITEST ? ['browser'] : undefined,
    },
    worker: { format: 'es' as const },
    build: {
      target: 'es2023',
      manifest: true,
      outDir: mock ? 'mock-dist' : 'dist',
      // Fonts and wasm come from 'self': the CSP allows no data: for them.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      rollupOptions: {
        input: {
          playground: here('./src/pages/playground.ts'),
          lesson: here('./src/pages/lesson.ts'),
          page: here('./src/pages/page.ts'),
          site: here('./src/theme/site.css'),
        },
      },
    },
    server: { fs: { allow: [here('.')] } },
    test: { include: ['tests/**/*.test.ts'], environment: 'node' },
  }
})
