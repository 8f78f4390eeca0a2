// Calls the public functions of the npm package docker-compose in the current directory, whose compose.yml has the
// services web (port 18080 to 80, volume data) and side. Argument: standalone (docker-compose) or plugin (docker compose).
'use strict'
const assert = require('node:assert/strict')
const compose = require('docker-compose')

const standalone = process.argv[2] === 'standalone'
const options = (more = {}) => ({
    cwd: process.cwd(),
    config: 'compose.yml',
    executable: standalone ? { standalone: true } : {},
    ...more,
})
const called = new Set()

// call(NAME, ARGUMENT...): the function's result, which must say that the command ended with 0.
async function call(name, ...args) {
    called.add(name)
    const result = await compose[name](...args)
    assert.equal(result.exitCode, 0, name)
    return result
}

async function states() {
    const { data } = await call('ps', options({ commandOptions: ['-a', ['--format', 'json']] }))
    return Object.fromEntries(data.services.map((service) => [service.name.replace(/^.*-(.*)-1$/, '$1'), service.state]))
}

async function main() {
    const { data: { version } } = await call('version', options())
    assert.match(version, /^2\.\d+\.\d+$/)
    const { data: { config } } = await call('config', options())
    assert.deepEqual(Object.keys(config.services).sort(), ['side', 'web'])
    assert.deepEqual((await call('configServices', options())).data.services.sort(), ['side', 'web'])
    assert.deepEqual((await call('configVolumes', options())).data.volumes, ['data'])
    const asObject = { compose: { services: { only: { image: 'busybox' } } }, config: undefined }
    assert.deepEqual((await call('configServices', options(asObject))).data.services, ['only'])

    for (const [name, ...args] of [['pullAll'], ['pullOne', 'web'], ['pullMany', ['web', 'side']]])
        await call(name, ...args, options({ commandOptions: ['--quiet'] }))
    for (const [name, ...args] of [['createAll'], ['createOne', 'web'], ['createMany', ['web', 'side']]])
        await call(name, ...args, options())
    assert.deepEqual(await states(), { web: 'created', side: 'created' })
    for (const [name, ...args] of [['upOne', 'web'], ['upMany', ['web', 'side']], ['upAll']])
        await call(name, ...args, options())
    assert.deepEqual(await states(), { web: 'running', side: 'running' })

    const table = (await call('ps', options())).data.services.find(({ name }) => name.includes('web'))
    assert.match(table.state, /^Up /)
    assert.deepEqual(table.ports, [{ exposed: { port: 80, protocol: 'tcp' }, mapped: { port: 18080, address: '127.0.0.1' } }])
    const image = (await call('images', options())).data.services.find(({ container }) => container.includes('web'))
    assert.equal(image.repository, 'busybox')
    assert.match(image.id, /^[0-9a-f]{12}$/)
    assert.deepEqual((await call('port', 'web', 80, options())).data, { address: '127.0.0.1', port: 18080 })
    assert.match((await call('logs', 'web', options({ timestamps: true }))).out, /web-1 .*ready/)
    called.add('stats')
    assert.match((await compose.stats('web', options())).Name, /web-1$/)

    assert.match((await call('exec', 'web', 'echo from exec', options())).out, /^from exec/)
    assert.match((await call('exec', 'web', ['sh', '-c', 'echo "in a list"'], options())).out, /^in a list/)
    assert.match((await call('run', 'side', 'echo from run', options({ commandOptions: ['--rm'] }))).out, /^from run/)
    await assert.rejects(compose.exec('web', ['sh', '-c', 'exit 3'], options()), { exitCode: 3 })
    await assert.rejects(compose.upOne('nobody', options()), ({ exitCode, err }) => exitCode === 1 && /nobody/.test(err))

    await call('pauseOne', 'side', options())
    assert.equal((await states()).side, 'paused')
    await call('unpauseOne', 'side', options())
    const quick = options({ commandOptions: [['--timeout', '1']] })
    for (const [name, ...args] of [['restartOne', 'web'], ['restartMany', ['web', 'side']], ['restartAll']])
        await call(name, ...args, quick)
    await call('stopOne', 'side', quick)
    assert.deepEqual(await states(), { web: 'running', side: 'exited' })
    await call('stopMany', quick, 'web', 'side')
    await call('upAll', options())
    await call('stop', quick)
    await call('upAll', options())
    await call('kill', options())
    assert.equal((await states()).web, 'exited')
    await call('rm', options(), 'side')
    assert.deepEqual(Object.keys(await states()), ['web'])
    await call('downOne', 'web', quick)
    await call('downMany', ['web', 'side'], quick)
    await call('downAll', quick)
    await call('down', options({ commandOptions: ['--volumes'] }))
    assert.deepEqual(await states(), {})

    // What is made from a build section or goes to a registry is refused until there is a builder.
    const later = ['buildAll', 'buildOne', 'buildMany', 'push']
    const internal = ['execCompose', 'mapPsOutput', 'mapImListOutput', 'default']
    const missed = Object.keys(compose).filter((name) => ![...called, ...later, ...internal].includes(name))
    assert.deepEqual(missed, [], 'functions without a test')
    console.log('all functions work')
}

main().catch((error) => {
    console.error(error)
    process.exitCode = 1
})
