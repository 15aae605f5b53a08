-- What a person does with a rule file in Neovim (0.7 and newer): reads what is wrong, takes the advice, hovers, formats,
-- renames. Prints a line for each step; `tests/it/lsp.rs` holds them against what must come.
local root = vim.env.ROOT
local function say(...)
  io.stdout:write(table.concat({ ... }, ' ') .. '\n')
end
local function wait(what, check)
  if not vim.wait(30000, check, 20) then
    say('waited in vain for', what)
    vim.cmd('cquit')
  end
end

vim.cmd('edit ' .. root .. '/rules/a.yaml')
local buffer = vim.api.nvim_get_current_buf()
local id = vim.lsp.start_client({ name = 'signalbox', cmd = { vim.env.SERVER, 'lsp' }, root_dir = root })
vim.lsp.buf_attach_client(buffer, id)
local client = vim.lsp.get_client_by_id(id)
local encoding = client.offset_encoding
local function line(number)
  return vim.trim(vim.api.nvim_buf_get_lines(buffer, number - 1, number, false)[1])
end
local function ask(method, params)
  local answer = client.request_sync('textDocument/' .. method, params, 30000, buffer)
  return answer.result
end
local function here()
  return vim.lsp.util.make_position_params(0, encoding)
end

wait('findings', function() return #vim.diagnostic.get(buffer) > 0 end)
for _, found in ipairs(vim.diagnostic.get(buffer)) do
  say('found', found.lnum + 1, found.col, found.end_col, (found.message:gsub('\n', ' | ')))
end
vim.api.nvim_win_set_cursor(0, { 5, 16 })
local range = vim.lsp.util.make_range_params(0, encoding)
range.context = { diagnostics = {} }
local actions = ask('codeAction', range)
say('offered', actions[1].title)
vim.lsp.util.apply_workspace_edit(actions[1].edit, encoding)
say('then', line(5))
wait('no findings', function() return #vim.diagnostic.get(buffer) == 0 end)
say('hovered', (ask('hover', here()).contents.value:match('[^\n]*')))
for _, item in ipairs(ask('completion', here()).items) do
  if item.label == 'queue_depth' then
    say('completed', item.textEdit.newText)
  end
end
local edits = ask('formatting', { textDocument = here().textDocument, options = { tabSize = 2, insertSpaces = true } })
vim.lsp.util.apply_text_edits(edits, buffer, encoding)
say('formatted', vim.api.nvim_buf_line_count(buffer), 'lines')
vim.api.nvim_win_set_cursor(0, { 4, 16 })
local rename = here()
rename.newName = 'Tiefe'
vim.lsp.util.apply_workspace_edit(ask('rename', rename), encoding)
say('renamed', line(4))
local test = vim.fn.bufnr(root .. '/rules/a.test.yaml')
say('in its test', vim.trim(vim.api.nvim_buf_get_lines(test, 4, 5, false)[1]))
vim.lsp.stop_client(id)
wait('the end', function() return client.is_stopped() end)
vim.cmd('qall!')
